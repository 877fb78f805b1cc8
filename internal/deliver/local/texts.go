package local

import (
	"errors"
	"fmt"
	"io/fs"

	"goqmail/internal/deliver/dotqmail"
	"goqmail/internal/host/errno"
	"goqmail/internal/mail/outcome"
)

// A refusal is the error of Deliver. Its text is the report that the sender or the
// log gets to read, byte for byte that of the original.
type refusal struct {
	outcome outcome.Outcome
	text    string // empty where a program has said what there is to say
}

func (r refusal) Error() string            { return r.text }
func (r refusal) Outcome() outcome.Outcome { return r.outcome }

// deferral refuses for now.
func deferral(format string, args ...any) error {
	return refusal{outcome.Deferral, fmt.Sprintf(format, args...)}
}

// failure refuses for good.
func failure(text string) error { return refusal{outcome.Failure, text} }

var (
	errHomeWritable = deferral("Uh-oh: home directory is writable. (#4.7.0)")
	errHomeSticky   = deferral("Home directory is sticky: user is editing his .qmail file. (#4.2.1)")
	errLooping      = failure("This message is looping: it already has my Delivered-To line. (#5.4.6)")
	errNoMailbox    = failure("Sorry, no mailbox here by that name. (#5.1.1)")

	errWritable     = deferral("Uh-oh: .qmail file is writable. (#4.7.0)")
	errTooLarge     = deferral("Uh-oh: .qmail file is too large. (#4.3.0)")
	errBlankFirst   = deferral("Uh-oh: first line of .qmail file is blank. (#4.2.1)")
	errFileDelivery = deferral("Uh-oh: .qmail has file delivery but has x bit set. (#4.7.0)")
	errProgDelivery = deferral("Uh-oh: .qmail has prog delivery but has x bit set. (#4.7.0)")

	errRewind  = deferral("Unable to rewind message. (#4.3.0)")
	errCrashed = deferral("Aack, child crashed. (#4.3.0)")
	errSlow    = deferral("File has been locked for 30 seconds straight. (#4.3.0)")

	errMaildirRead    = deferral("Unable to read message. (#4.3.0)")
	errMaildirEnter   = deferral("Unable to chdir to maildir. (#4.2.1)")
	errMaildirTimeout = deferral("Timeout on maildir delivery. (#4.3.0)")
	errMaildir        = deferral("Temporary error on maildir delivery. (#4.3.0)")
)

// fileError is the report for an error of dotqmail.
func fileError(err error) error {
	var path *fs.PathError
	switch {
	case errors.Is(err, dotqmail.ErrWritable):
		return errWritable
	case errors.Is(err, dotqmail.ErrTooLarge):
		return errTooLarge
	case errors.As(err, &path):
		return deferral("Unable to open %s: %s. (#4.3.0)", path.Path, errno.Text(err))
	}
	return err
}
