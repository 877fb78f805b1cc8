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
		Env:  OfSocket(environ, 0),
		Now:  time.Now,
		Warn: dialog.Warner(program, 2, 0),
	}
	c.Tmp = c.Env.or("TMPDIR", "/tmp")
	c.Queue = c.Env.Queue(home)
	c.Limit(0, time.Time{})
	return c
}

// Limit bounds the time of each read and write of an inherited client, and that of
// all; zero means no limit.
func (c *Client) Limit(each time.Duration, end time.Time) {
	c.In = dialog.Descriptor{FD: 0, Timeout: each, Until: end}
	c.Out = dialog.Descriptor{FD: 1, Timeout: each, Until: end}
}
