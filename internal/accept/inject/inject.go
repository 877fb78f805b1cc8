// Package inject is what qmail-inject does with one message (qmail-inject(8),
// qmail-header(5)): it makes what a user or a program gives it a proper message, and
// finds out where that goes.
//
//	arguments   recipients, and the envelope sender (ParseArgs)
//	settings    who sends, and how names are completed, by environment and control
//	            files (ReadSettings)
//	header      address lists are completed, Bcc and a few other fields go; the
//	            addresses in some are recipients, that of Return-Path is the sender
//	new fields  Date, Message-ID, From, Cc and Mail-Followup-To where they are
//	            missing, before all others
//	body        as it is
//	envelope    the sender; the recipients of the arguments, then those of the header
//
// All goes to qmail-queue, or is printed.
//
// # Limits
//
// The new fields come before the header and the recipients behind the body, so the
// header is read whole first. Up to 1 MB of it is kept in memory, and so are an
// address list and the recipients; more goes to files without names. So neither the
// length of a message, a field or a line is limited, nor the number of recipients.
// Only a word or an address in a list has a limit, address.MaxWord.
//
// # Errors
//
// Nothing is queued unless the message was read to its end. A sender field that
// cannot be read is an error, and a recipient field that cannot be read stays as it
// is: a program that writes such a field mostly gives the recipients as arguments.
package inject

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"goqmail/internal/accept/spool"
	"goqmail/internal/mail/header"
	"goqmail/internal/mail/quote"
	"goqmail/internal/wire/submit"
)

// A Config is what a message needs of the world.
type Config struct {
	*Settings
	Queue  submit.Queue
	Output io.Writer // for a message that is printed
	Tmp    string    // directory for temporary files
	Now    time.Time
	PID    int // with the time, it makes the Message-ID unique
}

// Inject takes one message in. outcome.Of tells whether an error is permanent.
func Inject(c Config, call Call, text io.Reader) error {
	m := &message{
		Config:     c,
		Call:       call,
		in:         header.NewReader(source{text}),
		header:     spool.New(c.Tmp),
		seen:       make(map[string]bool),
		list:       newList(c.Tmp),
		arguments:  spool.NewAddresses(c.Tmp),
		recipients: spool.NewAddresses(c.Tmp),
		resentTo:   spool.NewAddresses(c.Tmp),
		followupTo: spool.NewStack(c.Tmp),
	}
	defer m.close()
	if err := m.readArguments(); err != nil {
		return err
	}
	if err := m.readHeader(); err != nil {
		return err
	}
	if m.sender == nil {
		if err := m.setDefaultSender(); err != nil {
			return err
		}
	}
	if call.Print {
		return m.print()
	}
	return m.enqueue()
}

// A message is one that is being injected.
type message struct {
	Config
	Call
	in     *header.Reader
	header *spool.Spool    // the fields that stay
	seen   map[string]bool // names of known fields that are there, in lower case
	resent bool            // some of them say that the message is forwarded
	list   *list           // the one that is being read

	sender     *string          // of the envelope; nil while it is not known
	arguments  *spool.Addresses // recipients in the arguments
	recipients *spool.Addresses // in the header
	resentTo   *spool.Addresses // in the Resent fields of the header

	followupTo      *spool.Stack // addresses in To and Cc, if there are lists to look for
	followupRequest bool         // a list is among them
}

func (m *message) close() {
	m.header.Close()
	m.list.close()
	for _, a := range []*spool.Addresses{m.arguments, m.recipients, m.resentTo} {
		a.Close()
	}
	m.followupTo.Close()
}

// print prints the message rather than to queue it.
func (m *message) print() error {
	w := bufio.NewWriterSize(m.Output, 64<<10)
	fmt.Fprintf(w, "Return-Path: <%s>\n", quote.Address(*m.sender))
	if err := m.write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("unable to write: %w", err)
	}
	return nil
}

// enqueue hands the message to qmail-queue.
func (m *message) enqueue() error {
	q, err := m.Queue.Open()
	if err != nil {
		return fmt.Errorf("unable to run qmail-queue: %w", err)
	}
	err = m.write(q)
	if err == nil {
		q.From(*m.sender)
		err = m.eachRecipient(q.To)
	}
	if err != nil {
		q.Cancel()
		q.Close()
		return err
	}
	return q.Close()
}

// write writes the message with its new fields.
func (m *message) write(w io.Writer) error {
	if err := m.writeNewFields(w); err != nil {
		return err
	}
	if _, err := io.Copy(w, m.header.Reader()); err != nil {
		return err
	}
	_, err := io.Copy(w, m.in.Body())
	return err
}

// eachRecipient gives out the recipients of the envelope.
func (m *message) eachRecipient(to func(string)) error {
	if err := m.arguments.Each(to); err != nil || !m.FromHeader {
		return err
	}
	if m.resent {
		return m.resentTo.Each(to)
	}
	return m.recipients.Each(to)
}

// errRead says that the message or a control file cannot be read.
var errRead = errors.New("read error")

// A source marks the errors of reading the message.
type source struct{ r io.Reader }

func (s source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		err = errRead
	}
	return n, err
}
