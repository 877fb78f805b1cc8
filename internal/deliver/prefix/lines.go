// Package prefix feeds a message to a program with lines before it that a mailbox
// would have there: preline(1), and qsmhook(1), which the programs of sendmail's
// users know.
//
// The lines come from the environment that qmail-local gives to programs
// (qmail-command(8)): UFLINE is a From_ line, RPLINE a Return-Path field, DTLINE a
// Delivered-To field, each with its newline.
//
// The program's exit code is that of the whole. What of the message it does not read
// is not missed.
package prefix

import "strings"

// An Environment looks a variable up, as os.LookupEnv does.
type Environment func(name string) (value string, set bool)

// A line can be put before a message.
type line struct {
	text string
	on   bool
}

// lines are those of a delivery, in the order in which they stand in a mailbox.
type lines struct{ from, returnPath, deliveredTo line }

// read takes the lines from the environment, and tells whether all are there.
func (l *lines) read(env Environment) bool {
	all := true
	for name, line := range map[string]*line{"UFLINE": &l.from, "RPLINE": &l.returnPath, "DTLINE": &l.deliveredTo} {
		var set bool
		line.text, set = env(name)
		all = all && set
	}
	return all
}

func (l *lines) String() string {
	var b strings.Builder
	for _, line := range []line{l.from, l.returnPath, l.deliveredTo} {
		if line.on {
			b.WriteString(line.text)
		}
	}
	return b.String()
}
