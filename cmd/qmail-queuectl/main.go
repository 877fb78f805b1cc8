// qmail-queuectl shows the queue and changes what is in it (qmail-queuectl(8)).
package main

import (
	"os"
	"time"

	"goqmail/internal/admin/install"
	"goqmail/internal/admin/queuectl"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(0o077)
	desk := queuectl.Desk{
		Home:     home.Dir(),
		Accounts: install.NewSystemAccounts(),
		Out:      os.Stdout,
		Notices:  os.Stderr,
		Now:      time.Now(),
	}
	process.Exit("qmail-queuectl", desk.Run(os.Args[1:]))
}
