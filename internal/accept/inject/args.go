package inject

import (
	"strings"

	"goqmail/internal/host/getopt"
	"goqmail/internal/mail/address"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/mail/quote"
)

// A Call is what the arguments of qmail-inject ask for.
type Call struct {
	Recipients []string // those in the arguments that count
	FromHeader bool     // the header has recipients, too
	Sender     *string  // the envelope sender, if it is given; as it is written
	Print      bool     // rather than to queue the message
}

// ParseArgs reads the arguments of qmail-inject, that of its name not among them.
//
//	[-aAhHnN] [-f sender] [recipient ...]
func ParseArgs(args []string) (Call, error) {
	var c Call
	strategy := byte('A')
	options := getopt.New(args, "aAhHnNf:")
	for options.Next() {
		switch options.Letter {
		case 'a', 'A', 'h', 'H':
			strategy = options.Letter
		case 'n':
			c.Print = true
		case 'N':
			c.Print = false
		case 'f':
			sender := options.Value
			c.Sender = &sender
		default:
			return c, &outcome.Status{Code: outcome.Failure.ExitCode(), Text: "qmail-inject: " + options.Text}
		}
	}
	c.Recipients = options.Rest()
	switch strategy {
	case 'A':
		c.FromHeader = len(c.Recipients) == 0
	case 'h':
		c.Recipients, c.FromHeader = nil, true
	case 'H':
		c.FromHeader = true
	}
	return c, nil
}

// readArguments makes the addresses in the arguments whole.
func (m *message) readArguments() error {
	if m.Sender != nil {
		sender, err := m.whole(*m.Sender)
		if err != nil {
			return cannotParse(quote.Address(*m.Sender))
		}
		m.sender = &sender
	}
	for _, r := range m.Recipients {
		recipient, err := m.whole(r)
		if err != nil {
			return outcome.Fail("unable to parse address: %s", r)
		}
		if err := m.arguments.Add(recipient); err != nil {
			return err
		}
	}
	return nil
}

// whole completes an address as envelopes have them: what stands before the last @
// is taken literally, and what is behind it as in a header.
func (m *message) whole(plain string) (string, error) {
	tokens, err := address.Tokens(quote.Address(plain))
	if err != nil {
		return "", err
	}
	return address.Plain(m.Hosts.Complete(tokens)), nil
}

// cannotParse refuses a line.
func cannotParse(line string) error {
	return outcome.Fail("unable to parse this line:\n%s", strings.TrimSuffix(line, "\n"))
}
