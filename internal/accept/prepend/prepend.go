// Package prepend feeds a message to a program with fields before it: predate(1) and
// datemail(1) put the date there, and mailsubj(1) makes a whole header.
//
// The program's exit code is that of the whole. It never sees the end of a message
// that could not be read to its end.
package prepend

import (
	"io"
	"os"
	"strings"
	"time"

	"goqmail/internal/host/child"
	"goqmail/internal/mail/date822"
	"goqmail/internal/mail/outcome"
)

const usagePredate = outcome.Usage("predate child")

// Predate runs a program with a Date field before the message, with a time that is in
// the user's zone. The program gets descriptors 1 and 2 as in files.
func Predate(now time.Time, files []*os.File, program []string, message io.Reader) error {
	if len(program) == 0 {
		return usagePredate
	}
	return child.Feed(files, program, "Date: "+date822.FormatLocal(now)+"\n", message)
}

const usageMailsubj = outcome.Usage("mailsubj subject [ recip ... ]")

// Mailsubj runs a program with a header before the body of a message: a subject and
// the recipients in args.
func Mailsubj(files []*os.File, program, args []string, body io.Reader) error {
	if len(args) == 0 {
		return usageMailsubj
	}
	header := "Subject: " + line(args[0]) + "\nTo: " + line(strings.Join(args[1:], " ")) + "\n\n"
	return child.Feed(files, program, header, body)
}

// line makes one line of a text that is to be a field: what would follow a newline
// could be anything but a part of it.
func line(text string) string { return strings.ReplaceAll(text, "\n", " ") }
