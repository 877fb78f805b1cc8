// qmail-getpw finds out which user owns a local address (qmail-getpw(8)).
package main

import (
	"os"

	"goqmail/internal/deliver/getpw"
	"goqmail/internal/host/account"
	"goqmail/internal/host/process"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/resident"
)

func main() {
	process.Start(0o077)
	process.Exit("qmail-getpw", run())
}

func run() error {
	accounts := getpw.NewMachine(account.PasswdFile, getpw.NewDirectory(getpw.NSSConfig))
	switch {
	case len(os.Args) < 2:
		return outcome.Usage("qmail-getpw local")
	case resident.Asked(os.Args):
		return resident.Serve(getpw.InFlight, getpw.Answer(accounts))
	}
	a, err := getpw.Find(accounts, os.Args[1])
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(a.Append(nil))
	return err
}
