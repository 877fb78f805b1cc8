package inject

import (
	"errors"
	"io"
	"strings"

	"goqmail/internal/accept/spool"
	"goqmail/internal/mail/address"
	"goqmail/internal/mail/fold"
	"goqmail/internal/mail/header"
	"goqmail/internal/mail/outcome"
)

// A use says what the addresses in a field are for.
type use int

const (
	noList    use = iota // the field is no address list
	nothing              // they are completed, no more
	sender               // the first one is the envelope sender
	recipient            // they are recipients,
	followup             // and those to answer
	resentTo             // they are recipients of a forwarded message
)

// A field is what is known of one.
type field struct {
	addresses use
	dropped   bool // it does not stay in the message
	resent    bool // the message is forwarded
}

// known are the fields that matter, by their names in lower case.
var known = map[string]field{
	"date":             {},
	"message-id":       {},
	"mail-followup-to": {},
	"content-length":   {dropped: true},

	"from":              {addresses: nothing},
	"sender":            {addresses: nothing},
	"reply-to":          {addresses: nothing},
	"return-receipt-to": {addresses: nothing},
	"errors-to":         {addresses: nothing},
	"return-path":       {addresses: sender, dropped: true},

	"to":            {addresses: followup},
	"cc":            {addresses: followup},
	"bcc":           {addresses: recipient, dropped: true},
	"apparently-to": {addresses: recipient},

	"resent-date":       {resent: true},
	"resent-message-id": {resent: true},
	"resent-from":       {resent: true, addresses: nothing},
	"resent-sender":     {resent: true, addresses: nothing},
	"resent-reply-to":   {resent: true, addresses: nothing},
	"resent-to":         {resent: true, addresses: resentTo},
	"resent-cc":         {resent: true, addresses: resentTo},
	"resent-bcc":        {resent: true, addresses: resentTo, dropped: true},
}

// maxShown is how much of a line an error shows, in bytes.
const maxShown = 64 << 10

// readHeader reads the header.
func (m *message) readHeader() error {
	for {
		f, err := m.in.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = m.readField(f)
		}
		if err != nil {
			return err
		}
	}
}

func (m *message) readField(f header.Field) error {
	name := fold.Lower(f.Name)
	if m.ignored[name] {
		return nil
	}
	k, isKnown := known[name]
	if isKnown {
		m.seen[name] = true
		m.resent = m.resent || k.resent
	}
	var kept io.Writer = m.header
	if k.dropped {
		kept = io.Discard
	}
	if k.addresses == noList {
		_, err := io.Copy(kept, f.Text)
		return err
	}
	return m.readList(f, k.addresses, kept)
}

// readList reads a field that is an address list, and rewrites it.
func (m *message) readList(f header.Field, addresses use, kept io.Writer) error {
	text := m.list.text
	text.Reset()
	if _, err := io.Copy(text, f.Text); err != nil {
		return err
	}
	err := m.rewrite(kept, text.Reader(), addresses)
	isRecipient := addresses >= recipient
	switch {
	case errors.Is(err, address.ErrSyntax) && isRecipient:
		_, err := io.Copy(kept, text.Reader())
		return err
	case errors.Is(err, address.ErrSyntax), errors.Is(err, errNUL):
		return cannotParse(beginning(text))
	case errors.Is(err, address.ErrLong):
		return outcome.Fail("a word or an address of more than %d bytes in this line:\n%s", address.MaxWord, beginning(text))
	}
	return err
}

// beginning is what an error shows of a field.
func beginning(text *spool.Spool) string {
	shown, _ := io.ReadAll(io.LimitReader(text.Reader(), maxShown))
	return strings.TrimSuffix(string(shown), "\n")
}

// rewrite reads a field that is an address list and writes it with all addresses
// completed. When there is an error nothing has been written.
func (m *message) rewrite(to io.Writer, field io.Reader, addresses use) error {
	name, err := m.list.read(field)
	if err != nil {
		return err
	}
	err = address.Rewrite(m.list.completed, m.list.given, func(a []address.Token) ([]address.Token, error) {
		a = m.Hosts.Complete(a)
		return a, m.use(address.Plain(a), addresses)
	})
	if err != nil {
		return err
	}
	return m.list.write(to, name)
}

// errNUL refuses an address that no envelope can hold.
var errNUL = errors.New("an address with a NUL byte")

// use does what is to be done with an address in a field.
func (m *message) use(plain string, addresses use) error {
	if addresses != nothing && strings.IndexByte(plain, 0) >= 0 {
		return errNUL
	}
	switch addresses {
	case sender:
		if m.sender == nil {
			if m.perRecipient {
				plain += "-@[]"
			}
			m.sender = &plain
		}
	case followup:
		if m.lists != nil {
			if err := m.followupTo.Push([]byte(plain)); err != nil {
				return err
			}
			m.followupRequest = m.followupRequest || m.lists.Has(plain)
		}
		return m.recipients.Add(plain)
	case recipient:
		return m.recipients.Add(plain)
	case resentTo:
		return m.resentTo.Add(plain)
	}
	return nil
}
