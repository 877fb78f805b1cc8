package prefix

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"goqmail/internal/host/child"
	"goqmail/internal/host/errno"
	"goqmail/internal/mail/outcome"
)

// Shell gives the message, which is files[0], to a command of the shell: as it is, or
// with all three lines before it where prefixed. Lines that the environment does not
// have are left out. An outcome.Status says that the command has failed, and how;
// it will have said the reason itself.
func Shell(env Environment, files []*os.File, command string, prefixed bool) error {
	if _, err := files[0].Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("unable to rewind input: %s", errno.Text(err))
	}
	args := []string{"/bin/sh", "-c", command}
	var err error
	if prefixed {
		l := lines{}
		l.read(env)
		l.from.on, l.returnPath.on, l.deliveredTo.on = true, true, true
		err = child.Feed(files, args, l.String(), Whole(files[0]))
	} else {
		err = plain(files, args)
	}
	var status *outcome.Status
	switch {
	case errors.As(err, &status):
		return &outcome.Status{Code: outcome.OfProgram(status.Code).ExitCode()}
	case errors.Is(err, child.ErrCrashed):
		return fmt.Errorf("child crashed in %s", command)
	}
	return err
}

// plain runs a program with the descriptors as they are.
func plain(files []*os.File, args []string) error {
	p, err := child.Start(child.Command{Path: args[0], Args: args, Files: files})
	if err != nil {
		return err
	}
	status, err := p.Wait()
	switch {
	case err != nil:
		return err
	case status.Crashed:
		return child.ErrCrashed
	case status.Code != 0:
		return &outcome.Status{Code: status.Code}
	}
	return nil
}

// Whole is a message from its beginning, whatever becomes of the position of its
// descriptor; one that cannot be read again, such as a pipe, is read from where it
// is.
func Whole(message *os.File) io.Reader {
	if _, err := message.Seek(0, io.SeekStart); err != nil {
		return message
	}
	return io.NewSectionReader(message, 0, math.MaxInt64)
}
