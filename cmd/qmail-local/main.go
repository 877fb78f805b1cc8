// qmail-local delivers or forwards a message for a user (qmail-local(8)).
package main

import (
	"errors"
	"os"
	"time"

	"goqmail/internal/deliver/local"
	"goqmail/internal/deliver/maildir"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/submit"
)

func main() {
	process.Start(0o077)
	process.Exit("qmail-local", reported(run()))
}

func run() error {
	d, err := local.ParseArgs(os.Args[1:])
	if err != nil {
		return err
	}
	files := process.Descriptors()
	d.Message, d.Output, d.Errors = files[0], files[1], files[2]
	host, _ := os.Hostname() // it is but a part of names that are unique without it
	return local.Deliver(local.Config{
		Env:   os.Environ(),
		Queue: submit.FromEnvironment(home.Dir()),
		Names: &maildir.Names{Host: host, PID: os.Getpid(), Now: time.Now},
		Now:   time.Now,
	}, d)
}

// reported makes the text of an error the whole of what is printed: qmail-lspawn
// sends it on as the report.
func reported(err error) error {
	var status *outcome.Status
	var usage outcome.Usage
	if err == nil || errors.As(err, &status) || errors.As(err, &usage) {
		return err
	}
	return &outcome.Status{Code: outcome.Of(err).ExitCode(), Text: err.Error()}
}
