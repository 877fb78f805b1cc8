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
	s := spawner.Spawner{
		MessDir:    home.Dir() + "/queue/mess",
		QueueOwner: qmailq.UID,
		Width:      width,
		Limit:      spawner.Limit(limit, width, process.OpenFiles()),
	}
	done, err := carryOut(&s)
	if err != nil {
		return err
	}
	defer done()
	return s.Serve(process.Pipe(os.Stdin), process.Pipe(os.Stdout))
}

// carryOut says how deliveries are carried out: by processes that are kept open, unless
// control/residence is 0 or the environment names another program.
func carryOut(s *spawner.Spawner) (done func(), err error) {
	dir := control.In(home.Dir())
	residence, err := resident.Wanted(dir)
	if err != nil {
		return nil, err
	}
	other := os.Getenv("QMAILREMOTE")
	if !residence || other != "" {
		s.Deliver = rspawn.NewRunner(home.Dir(), other).Deliver
		return func() {}, nil
	}
	kept := rspawn.Keep(home.Dir())
	s.Deliver, s.Combiner = kept.Deliver, rspawn.Combiner{Kept: kept, Batches: rspawn.NewBatches(dir)}
	return kept.Close, nil
}
