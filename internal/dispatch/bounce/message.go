package bounce

import (
	"io"
	"strings"
	"time"

	"goqmail/internal/dispatch/verp"
	"goqmail/internal/mail/date822"
	"goqmail/internal/mail/quote"
)

// doubleSender is the envelope sender of double bounces. No mail can be sent there.
const doubleSender = "#@[]"

// A Kind is what the failure of a message leads to.
type Kind int

// The kinds.
const (
	Single Kind = iota // a bounce
	Double             // a double bounce
	Triple             // nothing
)

// KindOf tells what the failure of a message with an envelope sender leads to.
func KindOf(sender string) Kind {
	switch sender {
	case "":
		return Double
	case doubleSender:
		return Triple
	}
	return Single
}

// An Office is what the control files say about bounces.
type Office struct {
	From     string // bouncefrom: the local part of who writes bounces
	Host     string // bouncehost
	DoubleTo string // doublebounceto@doublebouncehost
}

// Envelope is the sender and recipient of the bounce of a message. A message with
// a variable return path bounces to the address that it was made from.
func (o Office) Envelope(sender string) (from, to string) {
	if KindOf(sender) == Single {
		return "", verp.Base(sender)
	}
	return doubleSender, o.DoubleTo
}

// The three pieces of text that a reader of QSBMF looks for are "Hi. This is the",
// the recipient paragraphs, and a paragraph that begins with "---".
const (
	single = ".\n" +
		"I'm afraid I wasn't able to deliver your message to the following addresses.\n" +
		"This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
	singleCopy = "--- Below this line is a copy of the message.\n\n"
	double     = ".\n" +
		"I tried to deliver a bounce message to this address, but the bounce bounced!\n\n"
	doubleCopy = "--- Below this line is the original bounce.\n\n"
)

// Write writes the bounce of a message: what the recipient is told, the notes, and
// the message itself with its envelope sender.
func (o Office) Write(w io.Writer, sender string, notes, message io.Reader, now time.Time) error {
	_, to := o.Envelope(sender)
	text, below := single, singleCopy
	if KindOf(sender) != Single {
		text, below = double, doubleCopy
	}
	steps := []io.Reader{
		strings.NewReader("Date: " + date822.Format(now) + "\n" +
			"From: " + quote.Local(o.From) + "@" + o.Host + "\n" +
			"To: " + quote.OneLine(quote.Address(to)) + "\n" +
			"Subject: failure notice\n\n" +
			"Hi. This is the qmail-send program at " + o.Host + text),
		notes,
		strings.NewReader(below + "Return-Path: <" + quote.OneLine(quote.Address(verp.Base(sender))) + ">\n"),
		message,
	}
	for _, r := range steps {
		if _, err := io.Copy(w, r); err != nil {
			return err
		}
	}
	return nil
}
