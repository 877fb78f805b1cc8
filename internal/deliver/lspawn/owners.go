package lspawn

import (
	"errors"
	"os"

	"goqmail/internal/deliver/exitcode"
	"goqmail/internal/deliver/spawner"
	"goqmail/internal/host/child"
	"goqmail/internal/host/users"
	"goqmail/internal/mail/outcome"
)

// Owners finds out who owns an address.
type Owners struct {
	Assigned *users.Table                                 // users/cdb
	Accounts func(local string) (users.Assignment, error) // qmail-getpw
}

// Find returns the assignment for a local part. An error that is an *outcome.Status
// has the exit code that stands for the trouble.
func (o Owners) Find(local string) (users.Assignment, error) {
	a, found, err := o.Assigned.Lookup(local)
	if err != nil {
		return a, &outcome.Status{Code: exitcode.UsersCDB}
	}
	if found {
		return a, nil
	}
	return o.Accounts(local)
}

// refusal is the report for an address whose owner is not found.
func refusal(err error) string {
	var status *outcome.Status
	switch {
	case !errors.As(err, &status):
		return exitcode.Report(exitcode.System)
	case status.Text != "":
		return status.Text
	}
	return report(status.Code, nil)
}

// A Getpw asks qmail-getpw. It gets nothing but the address, and can do nothing but
// answer.
type Getpw struct {
	Home string         // of the mail system; the working directory
	As   child.Identity // qmailp, and the group nofiles
	Null *os.File       // /dev/null, its descriptors 0 and 2
}

// maxAnswer is the longest answer of qmail-getpw, in bytes.
const maxAnswer = 256 << 10

// Reports for what qmail-getpw can do besides what exitcode has.
const (
	getpwCrashed = "Zqmail-getpw crashed.\n"
	getpwUnsure  = "Zqmail-getpw is unable to tell for now who owns the address.\n"
)

// Find returns the assignment for a local part.
func (g Getpw) Find(local string) (users.Assignment, error) {
	answer := spawner.Head{Max: maxAnswer}
	status, err := spawner.Run(child.Command{
		Path:  "bin/qmail-getpw",
		Args:  []string{"bin/qmail-getpw", local},
		Dir:   g.Home,
		As:    &g.As,
		Files: []*os.File{g.Null, nil, g.Null},
	}, &answer, 1)
	if err != nil {
		return users.Assignment{}, &outcome.Status{Code: exitcode.CannotGetpw}
	}
	return readAnswer(status, answer.Kept)
}

// readAnswer makes an assignment of how qmail-getpw ended and what it printed.
func readAnswer(status child.Status, answer []byte) (users.Assignment, error) {
	switch {
	case status.Crashed, status.Code == exitcode.Panic:
		return users.Assignment{}, &outcome.Status{Text: getpwCrashed}
	case status.Code == outcome.Deferral.ExitCode():
		return users.Assignment{}, &outcome.Status{Text: getpwUnsure}
	case status.Code != 0:
		return users.Assignment{}, &outcome.Status{Code: status.Code}
	}
	a, err := users.Parse(string(answer))
	if err != nil {
		return a, &outcome.Status{Code: exitcode.Usage}
	}
	return a, nil
}
