// splogger hands lines to syslog (splogger(8)).
package main

import (
	"os"
	"time"

	"goqmail/internal/dispatch/splogger"
	"goqmail/internal/host/control"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(0o077)
	socket := &splogger.Socket{Path: "/dev/log"}
	logger := splogger.Logger{Tag: "splogger", Facility: splogger.Mail, Now: time.Now, Send: socket.Send}
	if len(os.Args) > 1 {
		logger.Tag = os.Args[1]
	}
	if len(os.Args) > 2 {
		logger.Facility, _ = control.LeadingNumber(os.Args[2])
	}
	process.Exit("splogger", logger.Copy(os.Stdin))
}
