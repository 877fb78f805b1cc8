// Package spawner is what qmail-lspawn and qmail-rspawn have in common: they read
// commands, see to it that each is carried out by a process of its own, and
// report (qmail-lspawn(8), qmail-rspawn(8); the pipes are told in wire/spawn).
//
// Deliveries run side by side, each in a goroutine that shares nothing with the
// others but the pipe for its report. After the last command the ones that still
// run are waited for. If nobody reads the reports any more, the deliveries still
// run to their end.
//
// Commands that have come together may be carried out together, by a Combiner: several
// recipients of a message in one. Nothing is waited for to that end.
//
// What a command names is checked before anything is done with it: the delivery
// number, the name of the message (digits and a slash), and that the message is a
// regular file of qmailq's. Each delivery opens the message anew, so that it has a
// position of its own.
package spawner

import (
	"io"
	"os"
	"path/filepath"
	"strings"

	"goqmail/internal/host/crew"
	"goqmail/internal/wire/spawn"

	"golang.org/x/sys/unix"
)

// A Delivery is one that can be carried out: its message is open, and its
// recipient has a host.
type Delivery struct {
	Message   *os.File // closed once Deliver returns
	Sender    string
	Recipient string
	Local     string // the recipient up to its last @
	Host      string // what is behind it
}

// A Spawner says what is special about one.
type Spawner struct {
	MessDir    string // queue/mess
	QueueOwner uint32 // whose messages must be: qmailq
	Width      spawn.Width
	Limit      uint32 // how many deliveries at once

	// Deliver carries out a delivery and returns the text of its report. It is
	// called by many goroutines.
	Deliver func(Delivery) string

	// Combiner, if there is one, carries out several deliveries in one.
	Combiner Combiner
}

// A Combiner carries out several deliveries of a message in one.
type Combiner interface {
	// Groups divides commands into groups, each of which shall be carried out in
	// one. Those in a group have the same message, and recipients with hosts.
	Groups([]spawn.Command) [][]spawn.Command
	// DeliverGroup carries out a group of two or more and returns the texts of the
	// reports. False means that nothing was done, and that each delivery is to be
	// carried out by itself.
	DeliverGroup(message *os.File, group []spawn.Command) (texts []string, done bool)
}

// maxTogether is how many commands that have come together are looked at together.
const maxTogether = 1000

// filesPerDelivery is how many descriptors a delivery takes: its message and the
// two ends of a pipe; one is spare.
const filesPerDelivery = 4

// Limit returns how many deliveries a spawner runs at once: as many as it is set to,
// if a number of this width and the limit of open files allow that.
func Limit(set uint64, width spawn.Width, openFiles uint64) uint32 {
	return uint32(max(1, min(set, width.MaxLimit(), openFiles/filesPerDelivery)))
}

// maxMessage is the longest name of a message, in bytes.
const maxMessage = 99

// Serve works until the commands end and the last delivery is reported. An error
// means that it did not begin: there is no queue, or nobody reads the limit.
func (s Spawner) Serve(commands io.Reader, reports io.Writer) error {
	if _, err := os.Stat(s.MessDir + "/."); err != nil {
		return err
	}
	if _, err := reports.Write(s.Width.AppendLimit(nil, s.Limit)); err != nil {
		return err
	}
	r := newReporter(reports, s.Width, s.Limit)
	deliveries := crew.New()
	defer deliveries.Wait()
	in := spawn.NewCommands(commands, s.Width)
	for {
		c, err := in.Next()
		if err != nil {
			return nil
		}
		var begun []spawn.Command
		for {
			if text := r.begin(c.Delivery); text != "" {
				r.refuse(spawn.Report{Delivery: c.Delivery, Text: text})
			} else {
				begun = append(begun, c)
			}
			if s.Combiner == nil || len(begun) == maxTogether || !in.Ready() {
				break
			}
			if c, err = in.Next(); err != nil {
				break // which the next one will say as well
			}
		}
		for _, group := range s.groups(begun) {
			deliveries.Go(func() { s.carryOutGroup(group, r, deliveries) })
		}
	}
}

func (s Spawner) groups(list []spawn.Command) [][]spawn.Command {
	if s.Combiner != nil && len(list) > 1 {
		return s.Combiner.Groups(list)
	}
	if len(list) == 0 {
		return nil
	}
	return [][]spawn.Command{list}
}

// carryOutGroup carries out a group, in one if that can be, and reports.
func (s Spawner) carryOutGroup(group []spawn.Command, r *reporter, deliveries *crew.Crew) {
	alone := func(c spawn.Command) { r.end(spawn.Report{Delivery: c.Delivery, Text: s.carryOut(c)}) }
	if len(group) > 1 {
		if reports, done := s.combine(group); done {
			r.end(reports...)
			return
		}
		for _, c := range group[1:] {
			deliveries.Go(func() { alone(c) })
		}
	}
	alone(group[0])
}

// combine carries out a group in one.
func (s Spawner) combine(group []spawn.Command) (reports []spawn.Report, done bool) {
	if checkName(group[0].Message) != "" {
		return nil, false
	}
	message, text := s.open(group[0].Message)
	if text != "" {
		return nil, false
	}
	defer message.Close()
	texts, done := s.Combiner.DeliverGroup(message, group)
	for i, text := range texts {
		reports = append(reports, spawn.Report{Delivery: group[i].Delivery, Text: text})
	}
	return reports, done
}

// carryOut checks a command and does what it asks for.
func (s Spawner) carryOut(c spawn.Command) string {
	if c.TooLong {
		return "Zqmail-spawn out of memory. (#4.3.0)\n"
	}
	if text := checkName(c.Message); text != "" {
		return text
	}
	at := strings.LastIndexByte(c.Recipient, '@')
	if at < 0 {
		return "DSorry, address must include host name. (#5.1.3)\n"
	}
	message, text := s.open(c.Message)
	if text != "" {
		return text
	}
	defer message.Close()
	return s.Deliver(Delivery{message, c.Sender, c.Recipient, c.Recipient[:at], c.Recipient[at+1:]})
}

// checkName refuses whatever does not look like 19/457.
func checkName(name string) string {
	for i, c := range []byte(name) {
		if (c < '0' || c > '9') && (i == 0 || c != '/') {
			return "DInternal error: messid has nonnumerics. (#5.3.5)\n"
		}
	}
	switch {
	case len(name) > maxMessage:
		return "DInternal error: messid too long. (#5.3.5)\n"
	case name == "":
		return "DInternal error: messid too short. (#5.3.5)\n"
	}
	return ""
}

// open opens a message, and makes sure that it is one.
func (s Spawner) open(name string) (f *os.File, text string) {
	f, err := os.OpenFile(filepath.Join(s.MessDir, name), os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, "Zqmail-spawn unable to open message. (#4.3.0)\n"
	}
	var st unix.Stat_t
	switch err := unix.Fstat(int(f.Fd()), &st); {
	case err != nil:
		text = "Zqmail-spawn unable to fstat message. (#4.3.0)\n"
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		text = "ZSorry, message has wrong type. (#4.3.5)\n"
	case st.Uid != s.QueueOwner: // then qmailq is lost, and everything is; limit the damage
		text = "ZSorry, message has wrong owner. (#4.3.5)\n"
	}
	if text != "" {
		f.Close()
		return nil, text
	}
	return f, ""
}
