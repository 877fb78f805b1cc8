package popup

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"goqmail/internal/host/child"

	"golang.org/x/sys/unix"
)

// Subprogram returns what a Server runs: the program with these arguments, which is
// looked up in PATH, on these descriptors 0 to 2.
//
// The record is in the pipe before the program starts, so that nothing has to wait
// for a program that does not read it: both names and the stamp fit into a page.
func Subprogram(args []string, descriptors []*os.File) func(record []byte) error {
	return func(record []byte) error {
		theirs, ours, err := child.PipeTo()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrPipe, err)
		}
		_, err = ours.Write(record)
		ours.Close()
		if err != nil {
			theirs.Close()
			return fmt.Errorf("%w: %w", ErrWrite, err)
		}
		p, err := child.StartFound(child.Command{
			Path: args[0], Args: args, Files: append(slices.Clip(descriptors), theirs),
		})
		theirs.Close()
		if err != nil {
			return fmt.Errorf("%w: %w", cannotStart(err), err)
		}
		status, err := p.Wait()
		switch {
		case err != nil:
			return err
		case status.Crashed:
			return ErrCrashed
		case status.Code != 0:
			return fmt.Errorf("%w: exit code %d", ErrRefused, status.Code)
		}
		return nil
	}
}

// cannotStart is what a client is told: a program that does not exist refuses
// everybody, as it always did.
func cannotStart(err error) error {
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOMEM) {
		return ErrFork
	}
	return ErrRefused
}
