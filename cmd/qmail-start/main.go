// qmail-start starts the daemons that work on the queue (qmail-start(8)).
package main

import (
	"os"

	"goqmail/internal/dispatch/start"
	"goqmail/internal/host/control"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/wire/spawn"
)

func main() {
	process.Occupy(6) // qmail-send gets all of these
	process.Start(0o077)
	system := start.System{Home: home.Dir(), Default: "./Mailbox", Confine: os.Getenv("QMAILQUEUE") == ""}
	if len(os.Args) > 1 {
		system.Default, system.Logger = os.Args[1], os.Args[2:]
	}
	limit, err := spawn.Limit(control.In(home.Dir()))
	system.Wide = err == nil && limit > spawn.ClassicLimit
	silent := process.Closed(2) // as it is often called; what is there now is not for words
	err = system.Become()
	if silent {
		os.Exit(111)
	}
	process.Exit("qmail-start", err) // not on descriptor 1, which is for the log
}
