// Package mboxrd writes messages the way they stand in an mbox file (mbox(5)):
//
//	message = From_ line, lines, blank line
//
//	From joe@example.org Sat Jan 03 01:05:34 1996
//	Return-Path: <joe@example.org>
//	...
//
// A From_ line begins with "From ", and only the first line of a message may. So
// every line of the message that is "From " behind any number of > gets one more
// >, which a reader takes away again; this is what makes it mboxrd. A last line
// without its newline gets one.
package mboxrd

import (
	"bytes"
	"io"
	"strings"
	"time"
)

var oneWord = strings.NewReplacer(" ", "-", "\t", "-", "\n", "-", "\r", "-")

// FromLine returns the From_ line for a message, newline included. Spaces, tabs
// and line breaks in the envelope sender become hyphens; the empty sender is
// MAILER-DAEMON. The date is in UTC.
func FromLine(sender string, delivered time.Time) string {
	if sender == "" {
		sender = "MAILER-DAEMON"
	}
	return "From " + oneWord.Replace(sender) + " " + delivered.UTC().Format("Mon Jan 02 15:04:05 2006") + "\n"
}

// from is how a From_ line begins.
const from = "From "

// A Quoter copies a message to w as it is to follow its From_ line. It holds no
// more of it than four bytes, however long a line is. Each Write makes several
// small ones, so w should be buffered.
type Quoter struct {
	w       io.Writer
	place   place
	matched int  // in place start: how much of from the line has, behind its >s
	partial bool // the last line has no newline yet
}

// A place is where in a line the next byte stands.
type place int

const (
	start place = iota // behind nothing but >s and the first bytes of from
	rest               // the line is no From_ line, or has been quoted
)

// NewQuoter returns a Quoter that writes to w.
func NewQuoter(w io.Writer) *Quoter { return &Quoter{w: w} }

// Write copies a part of the message.
func (q *Quoter) Write(p []byte) (int, error) {
	for todo := p; len(todo) > 0; {
		n, err := q.step(todo)
		if err != nil {
			return len(p) - len(todo), err
		}
		todo = todo[n:]
	}
	return len(p), nil
}

// step copies some bytes of p and says how many. It may take none where only
// the place changes.
func (q *Quoter) step(p []byte) (int, error) {
	switch {
	case q.place == rest:
		n := bytes.IndexByte(p, '\n') + 1
		if n == 0 {
			n = len(p)
		} else {
			q.place, q.partial = start, false
		}
		_, err := q.w.Write(p[:n])
		return n, err
	case p[0] == '>' && q.matched == 0:
		q.partial = true
		_, err := q.w.Write(p[:1])
		return 1, err
	case p[0] == from[q.matched]:
		q.partial = true
		q.matched++
		if q.matched < len(from) {
			return 1, nil
		}
		q.place, q.matched = rest, 0
		_, err := io.WriteString(q.w, ">"+from)
		return 1, err
	}
	q.place, q.partial = rest, true
	return 0, q.release()
}

// release writes the bytes that might have begun a From_ line.
func (q *Quoter) release() error {
	n := q.matched
	q.matched = 0
	_, err := io.WriteString(q.w, from[:n])
	return err
}

// Close ends the message: with a newline if its last line has none, and with a
// blank line. It does not close w.
func (q *Quoter) Close() error {
	if err := q.release(); err != nil {
		return err
	}
	end := "\n"
	if q.partial {
		end = "\n\n"
	}
	_, err := io.WriteString(q.w, end)
	return err
}
