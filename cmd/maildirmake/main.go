// maildirmake makes a maildir (maildirmake(1)).
package main

import (
	"os"

	"goqmail/internal/deliver/maildir"
	"goqmail/internal/host/process"
	"goqmail/internal/mail/outcome"
)

func main() {
	process.Start(0o077)
	process.Exit("maildirmake", run(os.Args[1:]))
}

func run(args []string) error {
	if len(args) == 0 {
		return outcome.Usage("maildirmake name")
	}
	return maildir.Make(args[0])
}
