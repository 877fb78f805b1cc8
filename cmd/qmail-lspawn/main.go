// qmail-lspawn has local deliveries carried out for qmail-send (qmail-lspawn(8)).
package main

import (
	"errors"
	"os"

	"goqmail/internal/deliver/lspawn"
	"goqmail/internal/deliver/spawner"
	"goqmail/internal/host/account"
	"goqmail/internal/host/child"
	"goqmail/internal/host/control"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/host/users"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/resident"
	"goqmail/internal/wire/spawn"
)

func main() {
	process.Start(0o077)
	process.WithholdInherited()
	process.Exit("qmail-lspawn", run())
}

func run() error {
	args, width := spawn.ParseWidth(os.Args[1:])
	if len(args) == 0 {
		return outcome.Usage("qmail-lspawn defaultdelivery")
	}
	qmailq, err1 := account.LookupUser("qmailq")
	qmailp, err2 := account.LookupUser("qmailp")
	nofiles, err3 := account.LookupGroup("nofiles")
	null, err4 := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	err5 := os.Chdir(home.Dir())
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return err
	}
	keep, err := resident.Wanted(control.In(home.Dir()))
	if err != nil {
		return err
	}
	limit, err := spawn.Limit(control.In(home.Dir()))
	if err != nil {
		return err
	}
	getpw := lspawn.NewGetpw(home.Dir(), child.Identity{UID: qmailp.UID, GID: nofiles}, null, keep)
	defer getpw.Close()
	local := lspawn.NewLocal(home.Dir(), args[0], os.Getenv("QMAILLOCAL"), null, keep)
	defer local.Close()
	l := lspawn.Lspawn{
		Owners: lspawn.Owners{Assigned: users.NewTable(home.Dir() + "/users/cdb"), Accounts: getpw.Find},
		Local:  local,
	}
	return spawner.Spawner{
		MessDir:    home.Dir() + "/queue/mess",
		QueueOwner: qmailq.UID,
		Width:      width,
		Limit:      spawner.Limit(limit, width, process.OpenFiles()),
		Deliver:    l.Deliver,
	}.Serve(process.Pipe(os.Stdin), process.Pipe(os.Stdout))
}
