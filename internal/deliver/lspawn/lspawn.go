// Package lspawn is what qmail-lspawn does with one delivery (qmail-lspawn(8)):
// it finds the user who owns the address, and runs qmail-local as that user.
//
//	owner    users/cdb; where the address is not in it, qmail-getpw
//	run      qmail-local, with the user's number and group and no other groups
//	report   what qmail-local printed, behind a letter for its exit code
//
// An empty local part is delivered nowhere, successfully. Nothing is ever run as
// user number 0.
//
// A program that cannot be run or crashes, or exits with the status of a Go panic,
// is a deferral. The other exit codes mean what they always did.
package lspawn

import (
	"goqmail/internal/deliver/exitcode"
	"goqmail/internal/deliver/spawner"
)

// A Lspawn carries out deliveries.
type Lspawn struct {
	Owners Owners
	Local  Local
}

// Deliver carries out one delivery, and returns the text of its report.
func (l Lspawn) Deliver(d spawner.Delivery) string {
	if d.Local == "" {
		return "K"
	}
	owner, err := l.Owners.Find(d.Local)
	if err != nil {
		return refusal(err)
	}
	if owner.UID == 0 {
		return exitcode.Report(exitcode.Root)
	}
	return l.Local.Deliver(d, owner)
}
