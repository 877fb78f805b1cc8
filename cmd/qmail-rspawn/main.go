// qmail-rspawn has remote deliveries carried out for qmail-send (qmail-rspawn(8)).
package main

import (
	"os"

	"goqmail/internal/deliver/rspawn"
	"goqmail/internal/deliver/spawner"
	"goqmail/internal/host/account"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(0o077)
	process.Exit("qmail-rspawn", run())
}

func run() error {
	_, width := spawner.ParseWidth(os.Args[1:])
	qmailq, err := account.LookupUser("qmailq")
	if err != nil {
		return err
	}
	if err := os.Chdir(home.Dir() + "/queue/mess"); err != nil {
		return err
	}
	rspawn.ForgetTimeouts(home.Dir()) // without a table nobody remembers anything
	return spawner.Spawner{
		MessDir:    home.Dir() + "/queue/mess",
		QueueOwner: qmailq.UID,
		Width:      width,
		Limit:      spawner.Limit(width, process.OpenFiles()),
		Deliver:    rspawn.NewRunner(home.Dir(), os.Getenv("QMAILREMOTE")).Deliver,
	}.Serve(os.Stdin, os.Stdout)
}
