// qmail-local delivers or forwards a message for a user (qmail-local(8)).
package main

import (
	"os"
	"time"

	"goqmail/internal/deliver/local"
	"goqmail/internal/deliver/maildir"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/resident"
	"goqmail/internal/wire/submit"
)

func main() {
	process.Start(0o077)
	process.Exit("qmail-local", run())
}

func run() error {
	host, _ := os.Hostname() // it is but a part of names that are unique without it
	c := local.Config{
		Env:   os.Environ(),
		Queue: submit.FromEnvironment(home.Dir()),
		Names: &maildir.Names{Host: host, PID: os.Getpid(), Now: time.Now},
		Now:   time.Now,
	}
	if resident.Asked(os.Args) {
		c.Queue.Resident = submit.NewResident(home.Dir())
		return resident.Serve(local.InFlight, c.Answer)
	}
	d, err := local.ParseArgs(os.Args[1:])
	if err == nil {
		files := process.Descriptors()
		d.Message, d.Output = files[0], local.Descriptors{Output: files[1], Errors: files[2]}
		err = local.Deliver(c, d)
	}
	if code, text := local.Ending(err); code != 0 {
		return &outcome.Status{Code: code, Text: text}
	}
	return nil
}
