// Package popup reads who a POP3 client wants to be, and hands that to a program
// that knows whether it is true (qmail-popup(8)). It knows no password itself.
//
//	USER name       +OK
//	PASS password   runs the subprogram
//	APOP name sum   runs the subprogram (RFC 1939: sum is the MD5 sum, in hex, of
//	                the stamp in the greeting and the password)
//	QUIT, NOOP      +OK
//	anything else   -ERR authorization first
//
// The subprogram, a checkpassword (qmail-checkpassword(8)), has the client on
// descriptors 0 and 1 and goes on with it. On descriptor 3 it reads
//
//	record = name NUL password NUL stamp NUL
//
// where sum stands in the place of the password for APOP. There is one attempt: the
// conversation ends when the subprogram does. Nothing behind the line that starts
// it is read, so that a client need not wait for the answer before its next
// command.
package popup

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"goqmail/internal/retrieve/pop3"
)

// A Server knows what greets a client, and what is run for it.
type Server struct {
	Hostname string
	PID      int
	Now      func() time.Time
	Capable  bool // knows CAPA

	// Check runs the subprogram to its end.
	Check func(record []byte) error
}

// A LoginError is a login that did not end well.
type LoginError struct {
	Name string // what the client said
	Err  error
}

func (e *LoginError) Error() string { return fmt.Sprintf("user %q: %v", e.Name, e.Err) }

func (e *LoginError) Unwrap() error { return e.Err }

// How a subprogram can end without success, and why it could not be started. Each
// text is what the client is told.
var (
	ErrRefused = errors.New("authorization failed")
	ErrCrashed = errors.New("aack, child crashed")
	ErrPipe    = errors.New("unable to open pipe")
	ErrWrite   = errors.New("unable to write pipe")
	ErrFork    = errors.New("unable to fork")
)

// Usage is what a client is told where the server was called in a wrong way.
const Usage = "-ERR usage: popup hostname subprogram\r\n"

// Serve holds a conversation. It returns a LoginError, or what has ended the
// conversation otherwise.
func (s *Server) Serve(in io.Reader, out io.Writer) error {
	c := &conversation{Server: s, Session: pop3.New(bytewise{in}, out, s.Capable)}
	c.stamp = fmt.Sprintf("<%d.%d@%s>", s.PID, s.Now().Unix(), s.Hostname)
	c.OK(c.stamp)
	return c.Run(c.command)
}

// bytewise takes no more from the client than is needed.
type bytewise struct{ in io.Reader }

func (b bytewise) Read(p []byte) (int, error) { return b.in.Read(p[:min(len(p), 1)]) }

type conversation struct {
	*Server
	*pop3.Session
	stamp string
	name  string // of USER; empty as long as there was none
}

func (c *conversation) command(verb, argument string) error {
	switch verb {
	case "user":
		if argument == "" {
			c.Err("syntax error")
			return nil
		}
		c.name = argument
		c.OK("")
	case "pass":
		switch {
		case c.name == "":
			c.Err("USER first")
		case argument == "":
			c.Err("syntax error")
		default:
			return c.authorize(c.name, argument)
		}
	case "apop":
		name, sum, found := strings.Cut(argument, " ")
		if found {
			return c.authorize(name, sum)
		}
		c.Err("syntax error")
	case "quit":
		c.OK("")
		return pop3.ErrQuit
	case "noop":
		c.OK("")
	default:
		c.Err("authorization first")
	}
	return nil
}

// errDone says that the subprogram has served the client.
var errDone = errors.New("the session is over")

// authorize runs the subprogram, and tells the client what it did not tell itself.
func (c *conversation) authorize(name, password string) error {
	if err := c.Out.Flush(); err != nil {
		return err
	}
	err := c.Check([]byte(name + "\x00" + password + "\x00" + c.stamp + "\x00"))
	if err == nil {
		return errDone
	}
	for _, known := range []error{ErrCrashed, ErrPipe, ErrWrite, ErrFork, ErrRefused} {
		if errors.Is(err, known) {
			c.Err(known.Error())
			break
		}
	}
	return &LoginError{name, err}
}
