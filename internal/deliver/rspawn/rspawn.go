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
// over the message's success; otherwise the message's outcome counts.
//
// A qmail-remote that cannot be run or crashes, or exits with the status of a Go
// panic, is a deferral, whatever it printed.
package rspawn

import (
	"bytes"
	"strings"

	"goqmail/internal/deliver/spawner"
	"goqmail/internal/host/child"
)

// maxOutput bounds what is read of qmail-remote's output, in bytes.
const maxOutput = 64 << 10

// panicStatus is what a Go program exits with when it panics before it has
// arranged for a signal.
const panicStatus = 2

// A Runner runs qmail-remote.
type Runner struct {
	Program string // path of qmail-remote
	Dir     string // working directory: queue/mess
}

// Deliver carries out one delivery.
func (r Runner) Deliver(d spawner.Delivery) string {
	output, status, err := spawner.Run(child.Command{
		Path: r.Program,
		Args: []string{"qmail-remote", d.Host, d.Sender, d.Recipient},
		Dir:  r.Dir,
	}, d.Message, maxOutput)
	if err != nil {
		return "ZUnable to run qmail-remote.\n"
	}
	return report(status, output)
}

// report makes one report of qmail-remote's end and output.
func report(status child.Status, output []byte) string {
	switch {
	case status.Crashed, status.Code == panicStatus:
		return "Zqmail-remote crashed.\n"
	case status.Code == 111:
		return "ZUnable to run qmail-remote.\n"
	case status.Code != 0:
		return "DUnable to run qmail-remote.\n"
	case len(output) == 0:
		return "Zqmail-remote produced no output.\n"
	}
	return merge(output)
}

// severity orders outcomes: the worse the lower.
var severity = map[byte]int{'K': 1, 'Z': 0, 'D': -1}

// merge puts the reports on the recipient and the message together. Output that
// has no report on the message is a failure, as it always was.
func merge(output []byte) string {
	reports := bytes.SplitAfter(output, []byte{0})
	if last := len(reports) - 1; !bytes.HasSuffix(reports[last], []byte{0}) {
		reports = reports[:last] // cut: no report
	}
	message := severity['D']
	for _, r := range reports {
		if s, ok := severity[r[0]]; ok {
			message = s
			break
		}
	}
	recipient := message
	switch output[0] {
	case 's':
		recipient = severity['Z']
	case 'h':
		recipient = severity['D']
	}
	var text strings.Builder
	text.WriteByte("DZK"[recipient+1])
	if len(reports) > 0 {
		text.Write(reports[0][1 : len(reports[0])-min(1, len(reports[0])-1)])
	}
	if len(reports) > 1 && message <= recipient {
		if _, ok := severity[reports[1][0]]; ok {
			text.Write(reports[1][1 : len(reports[1])-1])
		}
	}
	return text.String()
}
