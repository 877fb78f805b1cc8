package child

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"goqmail/internal/host/errno"
	"goqmail/internal/mail/outcome"

	"golang.org/x/sys/unix"
)

// Errors of Feed, other than those of starting the program.
var (
	ErrInput   = errors.New("unable to copy input")
	ErrCrashed = errors.New("child crashed")
)

// Feed runs a program, which is looked up by Find, and gives it a text and then a
// message on its descriptor 0; the others are as in files. What the program does not
// read is not missed. Another exit code of it than 0 becomes an outcome.Status.
func Feed(files []*os.File, args []string, text string, message io.Reader) error {
	theirs, ours, err := PipeTo()
	if err != nil {
		return err
	}
	p, err := StartFound(Command{
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
		err = fmt.Errorf("%w: %s", ErrInput, errno.Text(err))
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
		return ErrCrashed
	case status.Code != 0:
		return &outcome.Status{Code: status.Code}
	}
	return nil
}
