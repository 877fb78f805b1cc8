// Package condition does something about a message if a program says so: it bounces
// it (bouncesaying(1)), sends it to another address (condredirect(1)), or turns the
// answer round for another program to act on (except(1)).
//
// The program reads the message from descriptor 0, and answers by its exit code:
//
//	0     yes
//	111   it cannot tell now
//	else  no
//
// A program that does not exist says no. That is so in the original, and users
// rely on it where not all of their machines have all programs. One that crashes,
// or cannot be started now, cannot tell now.
package condition

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"goqmail/internal/deliver/forward"
	"goqmail/internal/host/child"
	"goqmail/internal/host/errno"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/submit"
)

// The usage of each program.
const (
	usageBouncesaying = outcome.Usage("bouncesaying error [ program [ arg ... ] ]")
	usageCondredirect = outcome.Usage("condredirect newaddress program [ arg ... ]")
	usageExcept       = outcome.Usage("except program [ arg ... ]")
)

var (
	errTemporary = errors.New("temporary child error")
	errCrashed   = errors.New("child crashed")
)

// Bouncesaying returns a failure with the text args[0] if the program in the rest
// of args says yes, or if there is none.
func Bouncesaying(files []*os.File, args []string) error {
	if len(args) == 0 {
		return usageBouncesaying
	}
	if len(args) > 1 {
		if yes, err := ask(files, args[1:]); err != nil || !yes {
			return err
		}
	}
	return &outcome.Status{Code: outcome.Failure.ExitCode(), Text: args[0] + "\n"}
}

// Except returns a failure without a text if the program says yes.
func Except(files []*os.File, args []string) error {
	if len(args) == 0 {
		return usageExcept
	}
	yes, err := ask(files, args)
	if err == nil && yes {
		err = &outcome.Status{Code: outcome.Failure.ExitCode()}
	}
	return err
}

// Condredirect forwards the message, which is files[0], to args[0] if the program in
// the rest of args says yes. It returns the process number of qmail-queue then, and
// 0 otherwise.
func Condredirect(env forward.Environment, q submit.Queue, files []*os.File, args []string) (qp int, err error) {
	if len(args) < 2 {
		return 0, usageCondredirect
	}
	if yes, err := ask(files, args[1:]); err != nil || !yes {
		return 0, err
	}
	message := files[0]
	if _, err := message.Seek(0, io.SeekStart); err != nil {
		return 0, fmt.Errorf("unable to rewind: %s", errno.Text(err))
	}
	// A child that the program has left behind may still move the descriptor.
	whole := io.NewSectionReader(message, 0, math.MaxInt64)
	return forward.Redirect(env, q, whole, args[0])
}

// ask runs the program with the descriptors.
func ask(files []*os.File, args []string) (yes bool, err error) {
	p, err := child.StartFound(child.Command{Path: args[0], Args: args, Files: files})
	switch {
	case child.Missing(err):
		return false, nil
	case err != nil:
		return false, err
	}
	status, err := p.Wait()
	switch {
	case err != nil:
		return false, err
	case status.Crashed:
		return false, errCrashed
	case status.Code == outcome.Deferral.ExitCode():
		return false, errTemporary
	}
	return status.Code == 0, nil
}
