// qmail-checkpassword verifies a password and runs a program as the user
// (qmail-checkpassword(8)).
package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"goqmail/internal/host/account"
	"goqmail/internal/host/getopt"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/retrieve/checkpassword"
	"goqmail/internal/wire/dialog"
)

// The exit codes of a checkpassword.
const (
	refused   = 1
	misused   = 2
	temporary = 111
)

func main() {
	process.Start(process.KeepUmask)
	err := run()
	if err != checkpassword.ErrRefused { // who that was, qmail-popup tells
		dialog.Warner("qmail-checkpassword", 2, 0)(err.Error())
	}
	switch {
	case errors.Is(err, checkpassword.ErrRefused):
		os.Exit(refused)
	case errors.Is(err, checkpassword.ErrMisused):
		os.Exit(misused)
	}
	os.Exit(temporary)
}

// run returns only where the program of the user cannot be run.
func run() error {
	passwords := checkpassword.Passwords{
		Mailboxes: home.Dir() + "/users/passwd",
		Shadow:    "/etc/shadow",
		Account:   account.LookupUser,
		Now:       time.Now,
	}
	options := getopt.New(os.Args[1:], "v")
	for options.Next() {
		if options.Letter == getopt.Problem {
			return fmt.Errorf("%s: %w", options.Text, checkpassword.ErrMisused)
		}
		passwords.Shadow = "" // mailboxes only
	}
	program := options.Rest()
	if len(program) == 0 {
		return fmt.Errorf("usage: qmail-checkpassword [ -v ] program [ argument ... ]: %w", checkpassword.ErrMisused)
	}
	const asked = 3
	if process.Closed(asked) {
		return fmt.Errorf("descriptor 3 is closed: %w", checkpassword.ErrMisused)
	}
	f := os.NewFile(asked, "descriptor 3")
	record, err := checkpassword.ReadRecord(f)
	f.Close()
	if err != nil {
		return err
	}
	login, err := passwords.Check(record)
	if err == checkpassword.ErrRefused {
		return err
	}
	if err == nil {
		err = login.Become(program, os.Environ())
	}
	return fmt.Errorf("user %q: %w", record.Name, err)
}
