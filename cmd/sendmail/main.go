// sendmail runs qmail-inject, qmail-smtpd or qmail-qread for a program that expects
// sendmail (sendmail(8)).
package main

import (
	"errors"
	"os"

	"goqmail/internal/accept/sendmail"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"

	"golang.org/x/sys/unix"
)

func main() {
	process.Start(process.KeepUmask)
	process.Exit("sendmail", run())
}

func run() error {
	if os.Chdir(home.Dir()) != nil {
		return errors.New("unable to switch to qmail home directory")
	}
	p, err := sendmail.Parse(os.Args, os.Environ())
	if err != nil {
		return err
	}
	unix.Exec(p.Path(), append([]string{p.Path()}, p.Args...), p.Env)
	return errors.New("unable to run " + p.Name)
}
