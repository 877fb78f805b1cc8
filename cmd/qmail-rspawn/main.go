// qmail-rspawn has remote deliveries carried out for qmail-send (qmail-rspawn(8)).
package main

import (
	"os"

	"goqmail/internal/deliver/rspawn"
	"goqmail/internal/deliver/spawner"
	"goqmail/internal/host/account"
	"goqmail/internal/host/control"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/wire/resident"
	"goqmail/internal/wire/spawn"
	"goqmail/internal/wire/tcpto"
)

func main() {
	process.Start(0o077)
	process.WithholdInherited()
	process.Exit("qmail-rspawn", run())
}

func run() error {
	_, width := spawn.ParseWidth(os.Args[1:])
	qmailq, err := account.LookupUser("qmailq")
	if err != nil {
		return err
	}
	if err := os.Chdir(home.Dir() + "/queue/mess"); err != nil {
		return err
	}
	tcpto.In(home.Dir()).ClearAtOnce() // without a table nobody remembers anything
	limit, err := spawn.Limit(control.In(home.Dir()))
	if err != nil {
		return err
	}
	deliver, done, err := how()
	if err != nil {
		return err
	}
	defer done()
	return spawner.Spawner{
		MessDir:    home.Dir() + "/queue/mess",
		QueueOwner: qmailq.UID,
		Width:      width,
		Limit:      spawner.Limit(limit, width, process.OpenFiles()),
		Deliver:    deliver,
	}.Serve(process.Pipe(os.Stdin), process.Pipe(os.Stdout))
}

// how tells how deliveries are carried out: by processes that are kept open, unless
// control/residence is 0 or the environment names another program.
func how() (deliver func(spawner.Delivery) string, done func(), err error) {
	residence, err := resident.Wanted(control.In(home.Dir()))
	if err != nil {
		return nil, nil, err
	}
	other := os.Getenv("QMAILREMOTE")
	if !residence || other != "" {
		return rspawn.NewRunner(home.Dir(), other).Deliver, func() {}, nil
	}
	kept := rspawn.Keep(home.Dir())
	return kept.Deliver, kept.Close, nil
}
