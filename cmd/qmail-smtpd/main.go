// qmail-smtpd receives mail by SMTP on descriptors 0 and 1, or on listening sockets
// (qmail-smtpd(8)).
package main

import (
	"os"

	"goqmail/internal/accept/connection"
	"goqmail/internal/accept/listen"
	"goqmail/internal/accept/smtpd"
	"goqmail/internal/host/control"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
)

const program = "qmail-smtpd"

func main() {
	process.Start(0o022)
	server, err := listen.Prepare(listen.Service{
		Program:  program,
		User:     "qmaild",
		Home:     home.Dir(),
		Controls: smtpd.Controls,
		Read:     func(dir control.Dir) (listen.Protocol, error) { return smtpd.ReadConfig(dir) },
		ExitCode: exitCode,
		Refusal:  func(text string) string { return "421 " + text + "\r\n" },
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
	config, err := smtpd.ReadConfig(control.In(home.Dir()))
	if err != nil {
		client.Warn("fatal: " + err.Error())
		os.Stdout.WriteString(smtpd.Unreadable)
		os.Exit(1)
	}
	os.Exit(exitCode(config.Serve(client)))
}

func exitCode(err error) int {
	if err != nil {
		return 1
	}
	return 0
}
