// qmail-qmtpd receives mail by QMTP on descriptors 0 and 1, or on listening sockets
// (qmail-qmtpd(8)).
package main

import (
	"errors"
	"io"
	"os"

	"goqmail/internal/accept/connection"
	"goqmail/internal/accept/listen"
	"goqmail/internal/accept/qmtpd"
	"goqmail/internal/host/control"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/wire/netstring"
)

const program = "qmail-qmtpd"

func main() {
	process.Start(0o022)
	server, err := listen.Prepare(listen.Service{
		Program:  program,
		User:     "qmaild",
		Home:     home.Dir(),
		Controls: qmtpd.Controls,
		Read:     func(dir control.Dir) (listen.Protocol, error) { return qmtpd.ReadConfig(dir) },
		ExitCode: exitCode,
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
	config, err := qmtpd.ReadConfig(control.In(home.Dir()))
	if err == nil {
		err = config.Serve(client)
	}
	if exitCode(err) == 111 {
		client.Warn("fatal: " + err.Error())
	}
	os.Exit(exitCode(err))
}

func exitCode(err error) int {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return 0
	case errors.Is(err, netstring.ErrMalformed):
		return 100
	}
	return 111
}
