package lspawn

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"goqmail/internal/deliver/exitcode"
	"goqmail/internal/deliver/spawner"
	"goqmail/internal/host/child"
	"goqmail/internal/host/users"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/resident"
	"goqmail/internal/wire/resident/vouch"
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

// A Getpw asks qmail-getpw. That gets nothing but the address, and can do nothing but
// answer. As long as it is our own, one process answers all.
type Getpw struct {
	home string         // of the mail system; the working directory
	as   child.Identity // qmailp, and the group nofiles
	null *os.File
	kept *resident.Pool // nil: a process for each address
}

const (
	getpwProgram = "bin/qmail-getpw"
	// maxAnswer is the longest answer, in bytes.
	maxAnswer = 256 << 10
)

// Reports for what qmail-getpw can do besides what exitcode has.
const (
	getpwCrashed = "Zqmail-getpw crashed.\n"
	getpwUnsure  = "Zqmail-getpw is unable to tell for now who owns the address.\n"
)

// NewGetpw asks the qmail-getpw of an installation. null is /dev/null; keep allows to
// keep a process.
func NewGetpw(home string, as child.Identity, null *os.File, keep bool) Getpw {
	g := Getpw{home: home, as: as, null: null}
	if keep {
		g.kept = resident.NewPool(resident.Config{
			Path:     filepath.Join(home, getpwProgram),
			Ours:     vouch.For("qmail-getpw"),
			InFlight: maxAtOnce,
		})
	}
	return g
}

// Find returns the assignment for a local part.
func (g Getpw) Find(local string) (users.Assignment, error) {
	if g.kept != nil {
		reply, err := g.kept.Call("", func() child.Command {
			return child.Command{Args: []string{getpwProgram}, Dir: g.home, As: &g.as, Files: []*os.File{2: g.null}}
		}, resident.Request{Fields: []string{local}})
		if err == nil {
			return readReply(reply)
		} // otherwise it is asked again: a question changes nothing
	}
	answer := spawner.Head{Max: maxAnswer}
	status, err := spawner.Run(child.Command{
		Path:  getpwProgram,
		Args:  []string{getpwProgram, local},
		Dir:   g.home,
		As:    &g.as,
		Files: []*os.File{g.null, nil, g.null},
	}, &answer, 1)
	switch {
	case err != nil:
		return users.Assignment{}, &outcome.Status{Code: exitcode.CannotGetpw}
	case status.Crashed:
		return users.Assignment{}, &outcome.Status{Text: getpwCrashed}
	}
	return readAnswer(status.Code, string(answer.Kept))
}

// readReply makes an assignment of what a resident qmail-getpw says.
func readReply(reply []string) (users.Assignment, error) {
	if len(reply) == 2 {
		if code, err := strconv.ParseUint(reply[0], 10, 8); err == nil {
			return readAnswer(int(code), reply[1])
		}
	}
	return users.Assignment{}, &outcome.Status{Text: getpwCrashed}
}

// readAnswer makes an assignment of the exit code of qmail-getpw and what it printed.
func readAnswer(code int, answer string) (users.Assignment, error) {
	switch code {
	case 0:
	case exitcode.Panic:
		return users.Assignment{}, &outcome.Status{Text: getpwCrashed}
	case outcome.Deferral.ExitCode():
		return users.Assignment{}, &outcome.Status{Text: getpwUnsure}
	default:
		return users.Assignment{}, &outcome.Status{Code: code}
	}
	a, err := users.Parse(answer)
	if err != nil {
		return a, &outcome.Status{Code: exitcode.Usage}
	}
	return a, nil
}

// Close lets the kept process end.
func (g Getpw) Close() {
	if g.kept != nil {
		g.kept.Close()
	}
}
