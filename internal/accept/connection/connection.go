// Package connection is a client of a network server, and what is known of it: what
// tcpserver, tcp-env or whoever else has accepted the connection says in the
// environment, tcp-environ(5).
//
//	TCPREMOTEIP, TCPREMOTEHOST, TCPREMOTEINFO   the client's address, its name if
//	                                            that is known, its user by RFC 1413
//	TCPLOCALIP, TCPLOCALHOST                    the same of this end
//	RELAYCLIENT, DATABYTES                      what the client may do
//	QMAILQUEUE                                  what takes its mail
//
// The environment belongs to the connection, not to the process, so that one
// process can serve many.
package connection

import (
	"io"
	"time"

	"goqmail/internal/wire/dialog"
	"goqmail/internal/wire/submit"
)

// A Client is a connection and what belongs to it.
type Client struct {
	In    io.Reader // with limits of time; see package dialog
	Out   io.Writer
	Env   Environment
	Queue submit.Queue // what takes the client's mail
	Tmp   string       // directory for temporary files
	Now   func() time.Time
	Warn  func(text string) // tells the admin
}

// Inherited is the client on descriptors 0 and 1 of a program that was started for
// it. What Warn says goes to descriptor 2.
func Inherited(program, home string, environ []string) Client {
	c := Client{
		In:   dialog.Descriptor{FD: 0},
		Out:  dialog.Descriptor{FD: 1},
		Env:  OfSocket(environ, 0),
		Now:  time.Now,
		Warn: dialog.Warner(program, 2, 0),
	}
	c.Tmp = c.Env.or("TMPDIR", "/tmp")
	c.Queue = c.Env.Queue(home)
	return c
}

// Of is a client on a socket of a server that has many, with an environment of its
// own.
func Of(s *dialog.Socket, env Environment, home string, warn func(text string)) Client {
	return Client{
		In: s, Out: s,
		Env: env, Queue: env.Queue(home), Tmp: env.or("TMPDIR", "/tmp"),
		Now: time.Now, Warn: warn,
	}
}

// Limit bounds the time of each read and write of a client, and that of all; zero
// means no limit. Only a Descriptor and a Socket can be bounded.
func (c *Client) Limit(each time.Duration, end time.Time) {
	if s, ok := c.In.(*dialog.Socket); ok {
		s.Limit(each, end)
		return
	}
	if _, ok := c.In.(dialog.Descriptor); ok {
		c.In = dialog.Descriptor{FD: 0, Timeout: each, Until: end}
		c.Out = dialog.Descriptor{FD: 1, Timeout: each, Until: end}
	}
}
