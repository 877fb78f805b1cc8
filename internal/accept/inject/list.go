package inject

import (
	"bufio"
	"errors"
	"io"
	"strings"

	"goqmail/internal/accept/spool"
	"goqmail/internal/mail/address"
)

// A list is a field that is an address list, on its way from the header of a message
// to that of another. One is used for all such fields.
type list struct {
	text      *spool.Spool // the field as it was
	b         *bufio.Reader
	given     tokens // those of the field
	completed tokens // those of the list with its addresses completed, the first on top
}

func newList(tmp string) *list {
	return &list{
		text:      spool.New(tmp),
		b:         bufio.NewReader(nil),
		given:     tokens{spool.NewStack(tmp)},
		completed: tokens{spool.NewStack(tmp)},
	}
}

func (l *list) close() {
	l.text.Close()
	l.given.Close()
	l.completed.Close()
}

// read takes a field apart.
func (l *list) read(field io.Reader) (name string, err error) {
	l.b.Reset(field)
	l.given.Reset()
	l.completed.Reset()
	if name, err = l.b.ReadString(':'); err != nil {
		return "", err
	}
	for scanner := address.NewScanner(unfolded{l.b}); ; {
		t, err := scanner.Next()
		if err == io.EOF {
			return strings.TrimRight(name[:len(name)-1], " \t"), nil
		}
		if err == nil {
			err = l.given.Push(t)
		}
		if err != nil {
			return "", err
		}
	}
}

// write writes the completed list.
func (l *list) write(to io.Writer, name string) error {
	w := address.NewWriter(to, name)
	for {
		t, err := l.completed.Pop()
		if err == io.EOF {
			return w.Close()
		}
		if err == nil {
			err = w.Add(t)
		}
		if err != nil {
			return err
		}
	}
}

// unfolded leaves out the newlines of a field. Each is at its end or before the space
// of a continuation line, and without it the lines are what they were before somebody
// folded them (RFC 822, section 3.1.1).
type unfolded struct{ *bufio.Reader }

func (u unfolded) ReadByte() (byte, error) {
	for {
		if c, err := u.Reader.ReadByte(); c != '\n' || err != nil {
			return c, err
		}
	}
}

// tokens is a stack of tokens that may be many. A record is the kind, then the text.
type tokens struct{ *spool.Stack }

func (s tokens) Push(t address.Token) error {
	return s.Stack.Push(append([]byte{byte(t.Kind)}, t.Text...))
}

func (s tokens) Pop() (address.Token, error) {
	record, err := s.Stack.Pop()
	if err != nil {
		return address.Token{}, err
	}
	if len(record) == 0 {
		return address.Token{}, errors.New("temporary file is damaged")
	}
	return address.Token{Kind: address.Kind(record[0]), Text: string(record[1:])}, nil
}
