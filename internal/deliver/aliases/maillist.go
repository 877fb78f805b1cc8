package aliases

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"goqmail/internal/host/durable"
	"goqmail/internal/host/errno"
	"goqmail/internal/mail/outcome"
)

var (
	errListAddress = errors.New("addresses must be under 800 bytes")
	errListNUL     = errors.New("NUL in input")
	errListLine    = errors.New("lines must be under 65536 bytes")
	errListFormat  = outcome.Fail("bad mailing list format")
)

// Setmaillist makes a list args[0], by way of args[1], of lines (setmaillist(1)): an
// address, with or without an &, or the name of another list. Spaces and tabs at the
// end of a line, empty lines and those that begin with a # do not count.
func Setmaillist(lines io.Reader, args []string) error {
	if len(args) < 2 {
		return usageSetmaillist
	}
	return replaceList(args[0], args[1], func(w *bufio.Writer) error {
		r := bufio.NewReaderSize(lines, maxCommand)
		for {
			line, err := r.ReadSlice('\n')
			if err != nil && err != io.EOF {
				if err == bufio.ErrBufferFull {
					return errListLine
				}
				return inputError(err)
			}
			if addErr := addLine(w, bytes.TrimRight(line, " \t\n")); addErr != nil {
				return addErr
			}
			if err == io.EOF {
				return nil
			}
		}
	})
}

// addLine adds a line to a list. The errors of the writer come when it is flushed.
func addLine(w *bufio.Writer, line []byte) error {
	switch {
	case bytes.IndexByte(line, 0) >= 0:
		return errListNUL
	case len(line) == 0 || line[0] == '#':
		return nil
	case line[0] == Dot || line[0] == Slash:
	case len(line) > MaxAddress:
		return errListAddress
	case line[0] != Address:
		w.WriteByte(Address)
	}
	w.Write(line)
	w.WriteByte(0)
	return nil
}

// replaceList makes a list of what fill writes.
func replaceList(path, temp string, fill func(*bufio.Writer) error) error {
	err := durable.Replace(path, temp, 0o644, func(f *os.File) error {
		w := bufio.NewWriter(f)
		if err := fill(w); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("%w: %w", durable.ErrWrite, err)
		}
		return nil
	})
	return replaceError(err, path, temp)
}

// Printmaillist prints a list as Setmaillist reads it.
func Printmaillist(out io.Writer, list io.Reader) error {
	r := bufio.NewReaderSize(list, maxCommand)
	w := bufio.NewWriter(out)
	for {
		command, err := r.ReadSlice(0)
		switch {
		case err == io.EOF && len(command) == 0:
			return outputError(w.Flush())
		case err == io.EOF, err == bufio.ErrBufferFull:
			return errListFormat
		case err != nil:
			return inputError(err)
		}
		command = command[:len(command)-1]
		if !valid(command) || command[0] == Program || command[0] == PrefixedProgram {
			return errListFormat
		}
		w.Write(command)
		w.WriteByte('\n')
	}
}

func outputError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("unable to write output: %s", errno.Text(err))
}
