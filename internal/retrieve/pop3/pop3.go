// Package pop3 is the conversation of POP3 (RFC 1939), which qmail-popup begins
// and qmail-pop3d goes on with, in the words of the original.
//
//	server: +OK greeting
//	client: VERB argument        lines as package command tells, of any case
//	server: +OK text  or  -ERR text
//	        and behind some +OK: lines, and a line with a dot
//
// A command line has MaxCommand bytes at most (RFC 2449 asks for 255); the answer
// to a longer one is "-ERR command line too long".
//
// CAPA (RFC 2449) is answered where Environment is set. Without it the server
// is, to the byte, the one that clients have known since 1996, where CAPA is an
// unknown command like any other.
package pop3

import (
	"errors"
	"io"
	"time"

	"goqmail/internal/mail/fold"
	"goqmail/internal/wire/command"
	"goqmail/internal/wire/dialog"
)

// Timeout is how long a client may do nothing.
const Timeout = 20 * time.Minute

// MaxCommand is the longest command line, its end included, in bytes. It is enough
// for any password (a checkpassword takes 512 bytes in all), and a name, a password
// and a stamp are less than the smallest pipe takes.
const MaxCommand = 1200

// Environment is the variable that makes the server answer CAPA, whatever its
// value.
const Environment = "POP3CAPA"

// ErrQuit says that the client has said QUIT.
var ErrQuit = errors.New("the client has said QUIT")

// Capabilities of RFC 2449 that both programs have.
var capabilities = []string{"TOP", "USER", "UIDL", "PIPELINING", "EXPIRE NEVER"}

// A Session is a conversation.
type Session struct {
	dialog.Dialog
	capabilities []string // nil where CAPA is unknown
}

// New begins a conversation. It knows CAPA if capable is true; more are the
// capabilities of this program alone.
func New(in io.Reader, out io.Writer, capable bool, more ...string) *Session {
	s := &Session{Dialog: dialog.New(in, out)}
	if capable {
		s.capabilities = append(append([]string{}, capabilities...), more...)
	}
	return s
}

// OK sends a positive reply.
func (s *Session) OK(text string) {
	s.Out.WriteString("+OK ")
	s.Out.WriteString(text)
	s.Out.WriteString("\r\n")
}

// Err sends a negative reply.
func (s *Session) Err(text string) {
	s.Out.WriteString("-ERR ")
	s.Out.WriteString(text)
	s.Out.WriteString("\r\n")
}

// End ends a reply of many lines.
func (s *Session) End() { s.Out.WriteString(".\r\n") }

// Run takes commands, with their verbs in lower case, until do returns an error or
// the client is gone, and sends what was not sent yet.
func (s *Session) Run(do func(verb, argument string) error) error {
	lines := command.NewLines(s.In, MaxCommand)
	for {
		verb, argument, err := lines.Next()
		switch {
		case err == command.ErrTooLong:
			s.Err(command.ErrTooLong.Error())
			continue
		case err == nil && s.capabilities != nil && fold.Equal(verb, "capa"):
			s.capa()
			continue
		case err == nil:
			err = do(fold.Lower(verb), argument)
		}
		if err != nil {
			s.Out.Flush() // the client is told, if it is still there
			return err
		}
	}
}

func (s *Session) capa() {
	s.OK("")
	for _, c := range s.capabilities {
		s.Out.WriteString(c + "\r\n")
	}
	s.End()
}
