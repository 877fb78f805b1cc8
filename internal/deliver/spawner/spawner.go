// Package spawner is what qmail-lspawn and qmail-rspawn have in common: they read
// commands, see to it that each is carried out by a process of its own, and
// report (qmail-lspawn(8), qmail-rspawn(8); the pipes are told in wire/spawn).
//
// Deliveries run side by side, each in a goroutine that shares nothing with the
// others but the pipe for its report. After the last command the ones that still
// run are waited for. If nobody reads the reports any more, the deliveries still
// run to their end.
//
// What a command names is checked before anything is done with it: the delivery
// number, the name of the message (digits and a slash), and that the message is a
// regular file of qmailq's.
package spawner

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"goqmail/internal/host/child"
	"goqmail/internal/wire/spawn"

	"golang.org/x/sys/unix"
)

// A Delivery is one that can be carried out: its message is open, and its
// recipient has a host.
type Delivery struct {
	Message   *os.File
	Sender    string
	Recipient string
	Local     string // the recipient up to its last @
	Host      string // what is behind it
}

// A Spawner says what is special about one.
type Spawner struct {
	MessDir    string // queue/mess
	QueueOwner uint32 // whose messages must be: qmailq

	// Deliver carries out a delivery and returns the text of its report.
	Deliver func(Delivery) string
}

// maxMessage is the longest name of a message, in bytes.
const maxMessage = 99

// Serve works until the commands end and the last delivery is reported.
func (s Spawner) Serve(commands io.Reader, reports io.Writer) error {
	if _, err := reports.Write([]byte{spawn.DefaultLimit}); err != nil {
		return err
	}
	w := &reporter{w: reports}
	defer w.running.Wait()
	r := spawn.NewCommands(commands, spawn.Classic)
	for {
		c, err := r.Next()
		if err != nil {
			return nil
		}
		if text := w.begin(c.Delivery); text != "" {
			w.say(c.Delivery, text)
			continue
		}
		go func() { w.end(c.Delivery, s.carryOut(c)) }()
	}
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
	path := filepath.Join(s.MessDir, name)
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, "Zqmail-spawn unable to open message. (#4.3.0)\n"
	}
	var st unix.Stat_t
	switch err := unix.Fstat(fd, &st); {
	case err != nil:
		text = "Zqmail-spawn unable to fstat message. (#4.3.0)\n"
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		text = "ZSorry, message has wrong type. (#4.3.5)\n"
	case st.Uid != s.QueueOwner: // then qmailq is lost, and everything is; limit the damage
		text = "ZSorry, message has wrong owner. (#4.3.5)\n"
	}
	if text != "" {
		unix.Close(fd)
		return nil, text
	}
	unix.SetNonblock(fd, false)
	return os.NewFile(uintptr(fd), path), ""
}

// A reporter writes reports, one at a time, and knows which deliveries run.
type reporter struct {
	running sync.WaitGroup

	mu    sync.Mutex
	w     io.Writer // nil when nobody reads any more
	inUse [256]bool
}

// begin notes that a delivery runs, unless its number is wrong.
func (r *reporter) begin(delivery uint32) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case delivery >= spawn.DefaultLimit:
		return "ZInternal error: delnum too big. (#4.3.5)\n"
	case r.inUse[delivery]:
		return "ZInternal error: delnum in use. (#4.3.5)\n"
	}
	r.inUse[delivery] = true
	r.running.Add(1)
	return ""
}

// end reports a delivery that ran. Its number is free before the report is out,
// since it may be used again at once.
func (r *reporter) end(delivery uint32, text string) {
	r.mu.Lock()
	r.inUse[delivery] = false
	r.mu.Unlock()
	r.say(delivery, text)
	r.running.Done()
}

func (r *reporter) say(delivery uint32, text string) {
	report := spawn.Report{Delivery: delivery, Text: text}.Append(nil, spawn.Classic)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.w == nil {
		return
	}
	if _, err := r.w.Write(report); err != nil {
		r.w = nil
	}
}

// Run starts a program with a message as descriptor 0, and collects what it
// writes on 1 and 2 until the last writer is gone. Of the output it keeps the
// first max bytes. An error means that the program does not run.
func Run(c child.Command, message *os.File, max int) (output []byte, status child.Status, err error) {
	theirs, ours, err := child.PipeFrom()
	if err != nil {
		return nil, child.Status{}, err
	}
	defer ours.Close()
	c.Files = []*os.File{message, theirs, theirs}
	p, err := child.Start(c)
	theirs.Close()
	if err != nil {
		return nil, child.Status{}, err
	}
	output, _ = io.ReadAll(io.LimitReader(ours, int64(max)))
	io.Copy(io.Discard, ours)
	status, err = p.Wait()
	return output, status, err
}
