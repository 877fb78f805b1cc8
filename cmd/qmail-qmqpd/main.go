// qmail-qmqpd receives a message by QMQP on descriptors 0 and 1, or messages on
// listening sockets (qmail-qmqpd(8)).
package main

import (
	"errors"
	"io"
	"os"

	"goqmail/internal/accept/connection"
	"goqmail/internal/accept/listen"
	"goqmail/internal/accept/qmqpd"
	"goqmail/internal/host/control"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/wire/netstring"
)

const program = "qmail-qmqpd"

func main() {
	process.Start(0o022)
	server, err := listen.Prepare(listen.Service{
		Program:  program,
		User:     "qmaild",
		Home:     home.Dir(),
		Read:     func(control.Dir) (listen.Protocol, error) { return protocol{}, nil },
		ExitCode: exitCode,
		Trusting: true,
	}, os.Args[1:], os.Environ())
	if err == nil && server == nil {
		serveOne()
	}
	if err == nil {
		err = server.Run(process.Signals())
	}
	process.Exit(program, err)
}

// serveOne serves the client on descriptors 0 and 1.
func serveOne() {
	client := connection.Inherited(program, home.Dir(), os.Environ())
	err := qmqpd.Serve(client)
	if exitCode(err) == 111 {
		client.Warn("fatal: " + err.Error())
	}
	os.Exit(exitCode(err))
}

func exitCode(err error) int {
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return 0
	case errors.Is(err, netstring.ErrMalformed):
		return 100
	}
	return 111
}

// protocol is QMQP, which has no control files.
type protocol struct{}

func (protocol) Serve(c connection.Client) error { return qmqpd.Serve(c) }
func (protocol) Close() error                    { return nil }
