// Package maildirwatch shows the new mail in a maildir on a terminal
// (maildirwatch(1)):
//
//	FROM <ann@example.org> TO <joe@example.com>
//	From: Ann <ann@example.org>
//	Lunch?//Shall we meet at noon?/
//
// The first line has the Return-Path and Delivered-To fields, where they are there;
// the second, in bold, the From field; the third the beginning of the subject and of
// the body. Nothing of a message but printing ASCII gets to the terminal.
package maildirwatch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"goqmail/internal/host/errno"
	"goqmail/internal/mail/excerpt"
	"goqmail/internal/mail/header"
	"goqmail/internal/retrieve/maildir"
)

// Interval is the time between two summaries.
const Interval = 30 * time.Second

// How much is shown, in bytes.
const (
	maxText    = 158 // of subject and body
	maxAddress = 300
	maxFrom    = 300
)

// What a terminal like the VT100 does with these.
const (
	clear = "\x1b[;H\x1b[;J"
	bold  = "\x1b[1m"
	plain = "\x1b[0m"
)

// Summary clears the terminal and shows the new messages in the maildir dir.
func Summary(terminal io.Writer, dir string, now time.Time) error {
	maildir.Clean(dir, now)
	messages, err := maildir.Scan(dir, now, maildir.New)
	if err != nil {
		var path *fs.PathError
		errors.As(err, &path)
		return fmt.Errorf("unable to scan $MAILDIR/%s: %s", path.Path, errno.Text(err))
	}
	w := bufio.NewWriter(terminal)
	w.WriteString(clear)
	for _, m := range messages {
		f, err := os.Open(dir + "/" + m.Name)
		if err != nil {
			continue // another reader has taken it
		}
		err = show(w, f)
		f.Close()
		if err != nil {
			return errors.New("trouble reading new message")
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("unable to write: %s", errno.Text(err))
	}
	return nil
}

// show shows a message. An error is one of reading it.
func show(w io.Writer, message io.Reader) error {
	sender, recipient, from := "?", "?", ""
	text, err := excerpt.Of(message, maxText, func(f header.Field) {
		switch strings.ToLower(f.Name) {
		case "return-path":
			sender = begin(excerpt.Contents(f), maxAddress)
		case "delivered-to":
			recipient = begin(excerpt.Contents(f), maxAddress)
		case "from":
			from = begin(f.Text, maxFrom)
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "FROM %s TO <%s>\n", excerpt.Printable(sender, '?'), excerpt.Printable(recipient, '?'))
	if from != "" {
		fmt.Fprintf(w, "%s%s%s\n", bold, excerpt.Printable(from, '/'), plain)
	}
	fmt.Fprintf(w, "%s\n\n", excerpt.Printable(text, '/'))
	return nil
}

// begin is the beginning of a text, without its last newline. A read that fails will
// do so again where that is looked at.
func begin(text io.Reader, size int64) string {
	b, _ := io.ReadAll(io.LimitReader(text, size))
	return strings.TrimSuffix(string(b), "\n")
}
