package inject

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"goqmail/internal/mail/address"
	"goqmail/internal/mail/date822"
	"goqmail/internal/mail/quote"
)

// writeNewFields writes the fields that the message lacks. A forwarded one has
// others of its own, whose names begin with Resent.
func (m *message) writeNewFields(w io.Writer) error {
	resent := ""
	if m.resent {
		resent = "Resent-"
	}
	lacks := func(name string) bool { return !m.seen[strings.ToLower(resent+name)] }
	if lacks("Date") {
		fmt.Fprintf(w, "%sDate: %s\n", resent, date822.Format(m.Now))
	}
	if lacks("Message-ID") {
		fmt.Fprintf(w, "%sMessage-ID: <%s.%d.qmail@%s>\n", resent, m.Now.UTC().Format("20060102150405"), m.PID, quote.OneLine(m.IDHost))
	}
	if lacks("From") {
		from, err := m.defaultFrom()
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s%s", resent, from)
	}
	if lacks("To") && lacks("Cc") {
		fmt.Fprintf(w, "%sCc: recipient list not shown: ;\n", resent)
	}
	if m.followupRequest && !m.resent && lacks("Mail-Followup-To") {
		return m.writeFollowup(w)
	}
	return nil
}

// defaultFrom is the From field of the settings.
func (m *message) defaultFrom() (string, error) {
	user := address.Token{Kind: address.Atom, Text: m.from.user}
	if quote.Needed(m.from.user) {
		user.Kind = address.Quoted
	}
	who := atHost(user, m.from.host)
	switch {
	case m.from.name != nil && m.nameInComment:
		who = append(who, address.Token{Kind: address.Comment, Text: *m.from.name})
	case m.from.name != nil:
		name := address.Token{Kind: address.Quoted, Text: *m.from.name}
		who = append([]address.Token{name, {Kind: address.Left}}, who...)
		who = append(who, address.Token{Kind: address.Right})
	}
	return m.defaultField("From", who, nothing)
}

// setDefaultSender takes the envelope sender from the settings.
func (m *message) setDefaultSender() error {
	user := m.Settings.sender.user
	if m.perMessage {
		user += "-" + strconv.FormatInt(m.Now.Unix(), 10) + "." + strconv.Itoa(m.PID)
	}
	if m.perRecipient {
		user += "-"
	}
	_, err := m.defaultField("Return-Path", atHost(address.Token{Kind: address.Quoted, Text: user}, m.Settings.sender.host), sender)
	return err
}

// atHost makes an address of a user and a host, if there is one. The host is written
// as it is, and read again later; one in brackets is an IP address.
func atHost(user address.Token, host *string) []address.Token {
	if host == nil {
		return []address.Token{user}
	}
	written := address.Token{Kind: address.Atom, Text: *host}
	if inner, ok := strings.CutPrefix(*host, "["); ok && strings.HasSuffix(inner, "]") {
		written = address.Token{Kind: address.Literal, Text: strings.TrimSuffix(inner, "]")}
	}
	return []address.Token{user, {Kind: address.At}, written}
}

// defaultField makes a field as if somebody had written it.
func (m *message) defaultField(name string, list []address.Token, addresses use) (string, error) {
	var written, rewritten bytes.Buffer
	w := address.NewWriter(&written, name)
	for _, t := range list {
		w.Add(t)
	}
	w.Close()
	err := m.rewrite(&rewritten, strings.NewReader(written.String()), addresses)
	if errors.Is(err, address.ErrSyntax) || errors.Is(err, address.ErrLong) {
		return "", cannotParse(written.String())
	}
	return rewritten.String(), err
}

// writeFollowup asks that answers go to all in To and Cc: the sender reads one of the
// mailing lists among them and wants no copy of his own.
func (m *message) writeFollowup(w io.Writer) error {
	for separator := "Mail-Followup-To: "; ; separator = ",\n  " {
		to, err := m.followupTo.Pop()
		if err == io.EOF {
			_, err = io.WriteString(w, "\n")
			return err
		}
		if err != nil {
			return err
		}
		fmt.Fprint(w, separator, quote.Address(string(to)))
	}
}
