package pop3d

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// ErrRead says that a message could not be read to its end. As its beginning is
// with the client by then, the session has to end.
var ErrRead = errors.New("unable to read message")

// The sizes of buffers. Text is sent in pieces of about sendSize: large ones, so
// that neither side waits for the other more than it must.
const (
	readSize = 64 << 10
	sendSize = 64 << 10
)

// A sender turns a message into the lines of a reply: LF becomes CR LF, a line that
// begins with a dot gets another one before it, and an end that is missing is
// added. An empty line and a line with a dot follow; the empty line is for clients
// that would lose the end of the message otherwise.
//
// The buffers are those of a session, for one message after the other.
type sender struct {
	out        io.Writer
	read, send []byte

	body      bool   // the empty line behind the header is past
	lineStart bool   // the next byte begins a line
	limited   bool   // only left more lines of the body are wanted
	left      uint64 //
}

// message sends a message. If top is not nil, only the header and that many lines
// of the body are sent.
func (s *sender) message(m io.Reader, top *uint64) error {
	if s.read == nil {
		s.read = make([]byte, readSize)
		s.send = make([]byte, 0, 2*sendSize)
	}
	s.body, s.lineStart, s.limited = false, true, top != nil
	if top != nil {
		s.left = *top
	}
	for {
		n, err := m.Read(s.read)
		enough, failed := s.add(s.read[:n])
		switch {
		case failed != nil:
			return failed
		case enough, err == io.EOF:
			return s.end()
		case err != nil:
			return fmt.Errorf("%w: %w", ErrRead, err)
		}
	}
}

// add takes a piece of the message. It tells when no more is wanted.
func (s *sender) add(p []byte) (enough bool, err error) {
	for len(p) > 0 {
		if s.lineStart {
			if s.body && s.limited {
				if s.left == 0 {
					return true, nil
				}
				s.left--
			}
			switch p[0] {
			case '\n':
				s.body = true
			case '.':
				s.send = append(s.send, '.')
			}
		}
		var line []byte
		line, p, s.lineStart = bytes.Cut(p, []byte("\n"))
		s.send = append(s.send, line...)
		if s.lineStart {
			s.send = append(s.send, "\r\n"...)
		}
		if len(s.send) >= sendSize {
			if err := s.flush(); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

func (s *sender) end() error {
	if !s.lineStart {
		s.send = append(s.send, "\r\n"...)
	}
	s.send = append(s.send, "\r\n.\r\n"...)
	return s.flush()
}

func (s *sender) flush() error {
	_, err := s.out.Write(s.send)
	s.send = s.send[:0]
	return err
}
