// Package command reads the command lines of a client that speaks SMTP or POP3:
//
//	line = verb { " " } argument [ CR ] LF
//
// The verb goes up to the first space. A NUL ends the command, and what follows on
// the line is dropped. The case of the verb does not matter.
package command

import (
	"bufio"
	"bytes"
	"errors"
)

// ErrTooLong says that a line was longer than a server takes. It has been read to
// its end, and the next one can be.
var ErrTooLong = errors.New("command line too long")

// Lines reads command lines.
type Lines struct {
	r   *bufio.Reader
	max int
}

// NewLines reads lines from r that have max bytes at most, their ends included.
func NewLines(r *bufio.Reader, max int) Lines { return Lines{r, max} }

// Next reads a line. A line that is cut off by the end of the input is not a
// command; the error is io.EOF.
func (l Lines) Next() (verb, argument string, err error) {
	line, err := l.line()
	if err != nil {
		return "", "", err
	}
	line = bytes.TrimSuffix(line[:len(line)-1], []byte("\r"))
	if end := bytes.IndexByte(line, 0); end >= 0 {
		line = line[:end]
	}
	first, rest, _ := bytes.Cut(line, []byte(" "))
	return string(first), string(bytes.TrimLeft(rest, " ")), nil
}

// line returns a line with its LF. What is longer than the buffer of the reader
// is collected for the time being.
func (l Lines) line() ([]byte, error) {
	piece, err := l.r.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		if err == nil && len(piece) > l.max {
			return nil, ErrTooLong
		}
		return piece, err
	}
	var line []byte
	tooLong := false
	for {
		tooLong = tooLong || len(line)+len(piece) > l.max
		if tooLong {
			line = nil
		} else {
			line = append(line, piece...)
		}
		switch {
		case err == nil && tooLong:
			return nil, ErrTooLong
		case err != bufio.ErrBufferFull:
			return line, err
		}
		piece, err = l.r.ReadSlice('\n')
	}
}
