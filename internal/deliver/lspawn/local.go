package lspawn

import (
	"os"

	"goqmail/internal/deliver/exitcode"
	"goqmail/internal/deliver/spawner"
	"goqmail/internal/host/child"
	"goqmail/internal/host/users"
)

// maxOutput is how much of qmail-local's output is reported; of more the beginning,
// and a word that this is not all.
const (
	maxOutput = 3000
	tooLong   = "\nError report too long, sorry.\n"
	keptOfIt  = maxOutput - len(tooLong) - 3
)

// Local runs qmail-local.
type Local struct {
	home            string // of the mail system; the working directory
	program         string // what to run, and argument 0
	defaultDelivery string
}

// NewLocal runs the qmail-local of an installation, or in its place another program,
// if one is named.
func NewLocal(home, defaultDelivery, other string) Local {
	l := Local{home: home, program: "bin/qmail-local", defaultDelivery: defaultDelivery}
	if other != "" {
		l.program = other
	}
	return l
}

// Deliver runs qmail-local as the owner of the address.
func (l Local) Deliver(d spawner.Delivery, owner users.Assignment) string {
	output := spawner.Head{Max: maxOutput + 1}
	status, err := spawner.Run(child.Command{
		Path:  l.program,
		Args:  []string{l.program, "--", owner.User, owner.Home, d.Local, owner.Dash, owner.Ext, d.Host, d.Sender, l.defaultDelivery},
		Dir:   l.home,
		As:    &child.Identity{UID: owner.UID, GID: owner.GID},
		Files: []*os.File{d.Message, nil, nil},
	}, &output, 1, 2)
	switch {
	case err != nil:
		return exitcode.Report(exitcode.CannotRun)
	case status.Crashed:
		return exitcode.Report(exitcode.Panic)
	}
	return report(status.Code, output.Kept)
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
