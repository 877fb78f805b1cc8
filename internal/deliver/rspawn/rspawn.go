// Package rspawn is what qmail-rspawn does with one delivery: it runs
// qmail-remote and makes one report of the several that it prints
// (qmail-rspawn(8), qmail-remote(8)).
//
//	qmail-remote HOST SENDER RECIPIENT    the message on descriptor 0
//
//	output = { letter text NUL }
//
// First comes a report on the recipient (r accepted, h failed for good, s failed
// for now), then one on the message (K, D, Z). The recipient's own trouble wins
// over the message's success; otherwise the message's outcome counts. A program
// that connects to no server prints the report on the message alone.
//
// A qmail-remote that cannot be run or crashes, or exits with the status of a Go
// panic, is a deferral, whatever it printed. So is one whose output ends within a
// report. One that says nothing about the message fails, as ever.
package rspawn

import (
	"os"
	"path/filepath"

	"goqmail/internal/deliver/exitcode"
	"goqmail/internal/deliver/spawner"
	"goqmail/internal/host/child"
)

// A Runner runs qmail-remote.
type Runner struct {
	program string // what to run
	name    string // argument 0
	dir     string // working directory
}

// NewRunner runs the qmail-remote of an installation, in queue/mess, or in its place
// another program, if one is named.
func NewRunner(home, other string) Runner {
	r := Runner{filepath.Join(home, "bin/qmail-remote"), "qmail-remote", filepath.Join(home, "queue/mess")}
	if other != "" {
		r.program, r.name = other, other
	}
	return r
}

// Deliver carries out one delivery.
func (r Runner) Deliver(d spawner.Delivery) string {
	var output output
	status, err := spawner.Run(child.Command{
		Path:  r.program,
		Args:  []string{r.name, d.Host, d.Sender, d.Recipient},
		Dir:   r.dir,
		Files: []*os.File{d.Message, nil, nil},
	}, &output, 1, 2)
	if err != nil {
		return "ZUnable to run qmail-remote.\n"
	}
	return report(status, &output)
}

// report makes one report of qmail-remote's end and output.
func report(status child.Status, output *output) string {
	switch {
	case status.Crashed, status.Code == exitcode.Panic:
		return "Zqmail-remote crashed.\n"
	case status.Code == 111:
		return "ZUnable to run qmail-remote.\n"
	case status.Code != 0:
		return "DUnable to run qmail-remote.\n"
	}
	return output.merge()
}
