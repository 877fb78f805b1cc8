// Package prefix feeds a message to a program with lines before it that a mailbox
// would have there: preline(1), and qsmhook(1), which the programs of sendmail's
// users know.
//
// The lines come from the environment that qmail-local gives to programs
// (qmail-command(8)): UFLINE is a From_ line, RPLINE a Return-Path field, DTLINE a
// Delivered-To field, each with its newline.
//
// The program's exit code is that of the whole. What of the message it does not read
// is not missed.
package prefix

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"goqmail/internal/host/child"
	"goqmail/internal/host/errno"
	"goqmail/internal/mail/outcome"

	"golang.org/x/sys/unix"
)

// An Environment looks a variable up, as os.LookupEnv does.
type Environment func(name string) (value string, set bool)

// A line can be put before a message.
type line struct {
	text string
	on   bool
}

// lines are those of a delivery, in the order in which they stand in a mailbox.
type lines struct{ from, returnPath, deliveredTo line }

// read takes the lines from the environment; all must be there.
func (l *lines) read(env Environment) (ok bool) {
	for name, line := range map[string]*line{"UFLINE": &l.from, "RPLINE": &l.returnPath, "DTLINE": &l.deliveredTo} {
		if line.text, ok = env(name); !ok {
			return false
		}
	}
	return true
}

func (l *lines) String() string {
	var b strings.Builder
	for _, line := range []line{l.from, l.returnPath, l.deliveredTo} {
		if line.on {
			b.WriteString(line.text)
		}
	}
	return b.String()
}

// Errors of feed, other than those of starting the program, and how it ended.
var (
	errRead    = errors.New("unable to copy input")
	errCrashed = errors.New("child crashed")
)

// feed runs a program with a text and then a message on its descriptor 0, and the
// others as they are in files.
func feed(files []*os.File, args []string, text string, message io.Reader) error {
	theirs, ours, err := child.PipeTo()
	if err != nil {
		return err
	}
	p, err := child.StartFound(child.Command{
		Path:  args[0],
		Args:  args,
		Files: append([]*os.File{theirs}, files[1:]...),
	})
	theirs.Close()
	if err != nil {
		ours.Close()
		return err
	}
	_, err = io.Copy(ours, io.MultiReader(strings.NewReader(text), message))
	if err != nil && !errors.Is(err, unix.EPIPE) {
		// The program must not take what has come so far for the whole.
		unix.Kill(p.Pid, unix.SIGKILL)
		err = fmt.Errorf("%w: %s", errRead, errno.Text(err))
	} else {
		err = nil
	}
	ours.Close()
	status, waitErr := p.Wait()
	switch {
	case err != nil:
		return err
	case waitErr != nil:
		return waitErr
	case status.Crashed:
		return errCrashed
	case status.Code != 0:
		return &outcome.Status{Code: status.Code}
	}
	return nil
}
