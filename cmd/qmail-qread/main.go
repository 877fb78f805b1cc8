// qmail-qread lists the messages in the queue (qmail-qread(8)).
package main

import (
	"os"

	"goqmail/internal/admin/qread"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/mail/outcome"
)

func main() {
	process.Start(0o077)
	if err := qread.List(home.Dir()+"/queue", os.Stdout); err != nil {
		os.Exit(outcome.Deferral.ExitCode()) // the list tells why
	}
}
