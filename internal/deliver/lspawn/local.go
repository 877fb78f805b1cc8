package lspawn

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"goqmail/internal/deliver/exitcode"
	"goqmail/internal/deliver/spawner"
	"goqmail/internal/host/child"
	"goqmail/internal/host/users"
	"goqmail/internal/wire/resident"
	"goqmail/internal/wire/resident/vouch"
)

// maxAtOnce is how many requests one kept process does at once.
const maxAtOnce = 100

// maxOutput is how much of qmail-local's output is reported; of more the beginning,
// and a word that this is not all.
const (
	maxOutput = 3000
	tooLong   = "\nError report too long, sorry.\n"
	keptOfIt  = maxOutput - len(tooLong) - 3
)

// Local runs qmail-local. As long as it is our own, each user has a process of it
// that does one delivery after another; any other program is started for each.
type Local struct {
	home            string // of the mail system; the working directory
	program         string // what to run, and argument 0
	defaultDelivery string
	null            *os.File
	kept            *resident.Pool // nil: a process for each delivery
}

const (
	localProgram = "bin/qmail-local"
	// maxKeptUsers is how many users' processes are kept. Of more, the one that
	// has been idle for longest goes.
	maxKeptUsers = 256
)

// NewLocal runs the qmail-local of an installation, or in its place another program,
// if one is named. null is /dev/null; keep allows to keep processes.
func NewLocal(home, defaultDelivery, other string, null *os.File, keep bool) Local {
	l := Local{home: home, program: localProgram, defaultDelivery: defaultDelivery, null: null}
	switch {
	case other != "":
		l.program = other
	case keep:
		l.kept = resident.NewPool(resident.Config{
			Path:     filepath.Join(home, localProgram),
			Ours:     vouch.For("qmail-local"),
			Children: maxKeptUsers,
			InFlight: maxAtOnce,
		})
	}
	return l
}

// Deliver has qmail-local do a delivery as the owner of the address.
func (l Local) Deliver(d spawner.Delivery, owner users.Assignment) string {
	args := []string{owner.User, owner.Home, d.Local, owner.Dash, owner.Ext, d.Host, d.Sender, l.defaultDelivery}
	as := child.Identity{UID: owner.UID, GID: owner.GID}
	if l.kept != nil {
		reply, err := l.kept.Call(keyOf(owner), func() child.Command {
			// Descriptor 2 of ours may be a terminal: nothing for a user.
			return child.Command{Args: []string{localProgram}, Dir: l.home, As: &as, Files: []*os.File{2: l.null}}
		}, resident.Request{Fields: args, Files: []*os.File{d.Message}})
		if !errors.Is(err, resident.ErrClassic) {
			return replyReport(reply, err)
		}
	}
	return l.start(args, as, d.Message)
}

// keyOf names the process that a user's deliveries are given to.
func keyOf(owner users.Assignment) string {
	return fmt.Sprintf("%d:%d:%s", owner.UID, owner.GID, owner.Home)
}

// replyReport makes a report of what a resident qmail-local says. It is the user's
// process, and may say anything: what it could not have said as a process of one
// delivery is a crash.
func replyReport(reply []string, err error) string {
	switch {
	case errors.Is(err, resident.ErrRefused):
		return exitcode.Report(exitcode.CannotRun)
	case err != nil, len(reply) != 2:
		return exitcode.Report(exitcode.Panic)
	}
	code, err := strconv.ParseUint(reply[0], 10, 8)
	if err != nil {
		return exitcode.Report(exitcode.Panic)
	}
	return report(int(code), []byte(reply[1]))
}

// start starts a process for one delivery.
func (l Local) start(args []string, as child.Identity, message *os.File) string {
	output := spawner.Head{Max: maxOutput + 1}
	status, err := spawner.Run(child.Command{
		Path:  l.program,
		Args:  append([]string{l.program, "--"}, args...),
		Dir:   l.home,
		As:    &as,
		Files: []*os.File{message, nil, nil},
	}, &output, 1, 2)
	switch {
	case err != nil:
		return exitcode.Report(exitcode.CannotRun)
	case status.Crashed:
		return exitcode.Report(exitcode.Panic)
	}
	return report(status.Code, output.Kept)
}

// Close lets the kept processes end.
func (l Local) Close() {
	if l.kept != nil {
		l.kept.Close()
	}
}

// report is the report for an exit code and output of qmail-local.
func report(code int, output []byte) string {
	if text := exitcode.Report(code); text != "" {
		return text
	}
	letter := "D"
	switch code {
	case 0:
		letter = "K"
	case 71, 74, 75, 111:
		letter = "Z"
	}
	if len(output) > maxOutput {
		output = append(output[:keptOfIt:keptOfIt], tooLong...)
	}
	return letter + string(output)
}
