// Package qreceipt answers a message whose sender wants to know that it has arrived
// (qreceipt(1)): one with an address of the user's in the field
//
//	Notice-Requested-Upon-Delivery-To: joe@example.org
//
// The notice goes to the envelope sender, from nobody, so that it is never answered
// and a notice that bounces is no reason for another. A bounce gets none.
//
// A field that asks for a notice has at most maxField bytes. A Message-ID field that
// is longer is not quoted in the notice.
package qreceipt

import (
	"bytes"
	"errors"
	"io"

	"goqmail/internal/mail/address"
	"goqmail/internal/mail/fold"
	"goqmail/internal/mail/header"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/mail/quote"
	"goqmail/internal/wire/submit"
)

// maxField is the longest field that is looked at, in bytes.
const maxField = 256 << 10

var (
	errPermanent = outcome.Fail("permanent qmail-queue error")
	errTemporary = errors.New("temporary qmail-queue error")
	errFork      = errors.New("unable to fork")
	errRead      = errors.New("read error")
)

// A Receipt is what is known of a delivery.
type Receipt struct {
	Target string // address of the user
	Sender string // envelope sender
	Queue  submit.Queue
}

// Answer sends the notice, if the message asks for it.
func (r Receipt) Answer(message io.Reader) error {
	asked, messageID, err := r.read(message)
	if err != nil || !asked || r.Sender == "" || r.Sender == "#@[]" {
		return err
	}
	m, err := r.Queue.Open()
	if err != nil {
		return errFork
	}
	m.WriteString(r.notice(messageID))
	m.From("")
	m.To(r.Sender)
	switch outcome.Of(m.Close()) {
	case outcome.Failure:
		return errPermanent
	case outcome.Deferral:
		return errTemporary
	}
	return nil
}

// notice is the message that is sent. An address is one line of it, whatever bytes it
// has.
func (r Receipt) notice(messageID string) string {
	sender := quote.OneLine(quote.Address(r.Sender))
	text := "From: DELIVERY NOTICE SYSTEM <" + sender + ">\n" +
		"To: <" + sender + ">\n" +
		"Subject: success notice\n" +
		"\n" +
		"Hi! This is the qreceipt program. Your message was delivered to the\n" +
		"following address: " + quote.OneLine(r.Target) + ". Thanks for asking.\n"
	if messageID != "" {
		text += "Your " + messageID
	}
	return text
}

// read looks through the header of the message: whether it asks for a notice, and its
// Message-ID field.
func (r Receipt) read(message io.Reader) (asked bool, messageID string, err error) {
	h := header.NewReader(message)
	for {
		field, err := h.Next()
		switch {
		case err == io.EOF:
			return asked, messageID, nil
		case err != nil:
			return false, "", errRead
		case fold.Equal(field.Name, "Message-ID"):
			text, whole, err := read(field)
			if err != nil {
				return false, "", err
			}
			if whole {
				messageID = string(text)
			}
		case fold.Equal(field.Name, "Notice-Requested-Upon-Delivery-To"):
			text, whole, err := read(field)
			if err != nil {
				return false, "", err
			}
			found, err := has(text, r.Target)
			if err != nil || !whole {
				return false, "", outcome.Fail("unable to parse this: %s", text)
			}
			asked = asked || found
		}
	}
}

// read reads a field, and says whether that is all of it.
func read(field header.Field) (text []byte, whole bool, err error) {
	text, err = io.ReadAll(io.LimitReader(field.Text, maxField+1))
	if err != nil {
		return nil, false, errRead
	}
	return text, len(text) <= maxField, nil
}

// has tells whether an address is in the list in a field.
func has(field []byte, target string) (bool, error) {
	_, list, _ := bytes.Cut(field, []byte(":"))
	tokens, err := address.Tokens(string(list))
	if err != nil {
		return false, err
	}
	found := false
	from := address.Slice(tokens)
	err = address.Rewrite(&address.Slice{}, &from, func(a []address.Token) ([]address.Token, error) {
		found = found || address.Plain(a) == target
		return a, nil
	})
	return found, err
}
