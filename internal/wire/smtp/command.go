package smtp

import (
	"bufio"
	"bytes"
	"errors"
)

// MaxCommand is the longest command line that is read, in bytes, its line end
// included. RFC 5321 asks for 512; qmail had no limit, so that one client could
// fill the memory.
const MaxCommand = 256 << 10

// ErrCommandTooLong says that a line was longer than MaxCommand. It has been
// read to its end, and the next one can be.
var ErrCommandTooLong = errors.New("command line too long")

// Commands reads the command lines of a client:
//
//	line = verb { " " } argument [ CR ] LF
//
// The verb goes up to the first space. A NUL ends the command, and what
// follows on the line is dropped. The case of the verb does not matter.
type Commands struct{ r *bufio.Reader }

// NewCommands reads commands from r.
func NewCommands(r *bufio.Reader) Commands { return Commands{r} }

// Next reads a line. A line that is cut off by the end of the input is not a
// command; the error is io.EOF.
func (c Commands) Next() (verb, argument string, err error) {
	line, err := c.line()
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
func (c Commands) line() ([]byte, error) {
	piece, err := c.r.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		return piece, err
	}
	var line []byte
	tooLong := false
	for {
		tooLong = tooLong || len(line)+len(piece) > MaxCommand
		if tooLong {
			line = nil
		} else {
			line = append(line, piece...)
		}
		switch {
		case err == nil && tooLong:
			return nil, ErrCommandTooLong
		case err != bufio.ErrBufferFull:
			return line, err
		}
		piece, err = c.r.ReadSlice('\n')
	}
}
