// Package dotforward follows a .forward file of sendmail's for a user
// (dot-forward(1)).
//
// A file has addresses, any number on a line, as in a header field; lines that begin
// with # do not count. One without a host may be
//
//	USER          deliver directly: go on with the .qmail file
//	"|command"    give the message to the command, with the lines of preline(1)
//	"/file"       not supported: the message waits
//
// and USER@HOST is direct delivery too. The first file that is there and says
// something is followed; without one, the .qmail file goes on.
//
// All of the file is read before anything is done.
package dotforward

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"goqmail/internal/deliver/forward"
	"goqmail/internal/deliver/looselist"
	"goqmail/internal/deliver/prefix"
	"goqmail/internal/host/control"
	"goqmail/internal/host/errno"
	"goqmail/internal/host/getopt"
	"goqmail/internal/mail/fold"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/submit"

	"golang.org/x/sys/unix"
)

const usage = outcome.Usage("dot-forward [ -nN ] file ...")

// enough makes qmail-local leave the rest of the .qmail file alone.
const enough = 99

// A Delivery is a message and a user's wishes for it.
type Delivery struct {
	Env     forward.Environment
	Control control.Dir
	Queue   submit.Queue
	Files   []*os.File // descriptors of programs; the first is the message

	dryRun bool // only say what would be done
	hosts  looselist.Hosts
}

// Run follows the first of the files in args that says something. The error is an
// outcome.Status where the exit code or the text is that of a success, and in a dry
// run the text says what would be done.
func (d *Delivery) Run(args []string) error {
	options := getopt.New(args, "nN")
	for options.Next() {
		switch options.Letter {
		case 'n', 'N':
			d.dryRun = options.Letter == 'n'
		default:
			return &outcome.Status{
				Code: usage.Outcome().ExitCode(),
				Text: "dot-forward: " + options.Text + "\ndot-forward: " + usage.Error(),
			}
		}
	}
	var err error
	if d.hosts, err = looselist.ReadHosts(d.Control); err != nil {
		return err
	}
	said := ""
	for _, name := range options.Rest() {
		w, err := d.read(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return err
		case w.empty():
			said += "skipping empty file " + name + "\n"
			continue
		case d.dryRun:
			return w.status(said + w.describe())
		}
		return d.follow(w)
	}
	return wishes{direct: true}.status(d.unlessDelivering(said + "direct delivery\n"))
}

// unlessDelivering is a text that is only said in a dry run.
func (d *Delivery) unlessDelivering(text string) string {
	if d.dryRun {
		return text
	}
	return ""
}

// wishes are what a file asks for.
type wishes struct {
	direct   bool
	commands []string // of the shell
	forwards []string
	order    []string // descriptions of commands and forwards, as they stand there
}

func (w wishes) empty() bool {
	return !w.direct && len(w.commands) == 0 && len(w.forwards) == 0
}

// status is what a success looks like to qmail-local.
func (w wishes) status(text string) error {
	code := enough
	if w.direct {
		code = 0
	}
	return &outcome.Status{Code: code, Text: text}
}

// describe says what would be done.
func (w wishes) describe() string {
	text := strings.Join(w.order, "")
	if w.direct {
		text += "direct delivery\n"
	}
	return text
}

// read reads a file. The error is fs.ErrNotExist where there is none.
func (d *Delivery) read(name string) (w wishes, err error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return w, fs.ErrNotExist
	}
	if err != nil {
		return w, fmt.Errorf("unable to open %s: %s", name, errno.Text(err))
	}
	defer f.Close()
	lines, err := looselist.ReadLines(f)
	if err != nil {
		return w, fmt.Errorf("unable to read %s: %s", name, errno.Text(err))
	}
	for _, line := range lines {
		if strings.HasPrefix(line, "#") {
			continue
		}
		entries, err := looselist.Entries(line)
		if err != nil {
			return w, fmt.Errorf("unable to parse this line: %.1000s", line)
		}
		for _, e := range entries {
			if err := d.add(&w, e); err != nil {
				return w, err
			}
		}
	}
	return w, nil
}

// add adds what an entry asks for.
func (d *Delivery) add(w *wishes, e looselist.Entry) error {
	user, _ := d.Env("USER")
	host, _ := d.Env("HOST")
	switch {
	case e.Text == "":
	case e.Include:
		return fmt.Errorf(":include: delivery %s not supported", e.Text)
	case !e.HasAt && fold.Equal(e.Text, user), e.HasAt && fold.Equal(e.Text, user+"@"+host):
		w.direct = true
	case !e.HasAt && e.Text[0] == '/':
		return fmt.Errorf("file delivery %s not supported", e.Text)
	case strings.Contains(e.Text, "\x00"):
		return errors.New("NUL not permitted")
	case !e.HasAt && e.Text[0] == '|':
		w.commands = append(w.commands, e.Text[1:])
		w.order = append(w.order, "pipe through "+e.Text[1:]+"\n")
	default:
		address := d.hosts.Complete(e)
		w.forwards = append(w.forwards, address)
		w.order = append(w.order, "forward "+address+"\n")
	}
	return nil
}

// follow runs the commands, and then forwards.
func (d *Delivery) follow(w wishes) error {
	for _, command := range w.commands {
		if err := prefix.Shell(prefix.Environment(d.Env), d.Files, command, true); err != nil {
			return err
		}
	}
	if len(w.forwards) == 0 {
		return w.status("")
	}
	qp, err := forward.Forward(d.Env, d.Queue, prefix.Whole(d.Files[0]), w.forwards)
	if err != nil {
		return fmt.Errorf("unable to forward message: %w", err)
	}
	return w.status(fmt.Sprintf("dot-forward: qp %d", qp))
}
