// Package looselist reads the lists of addresses in files that sendmail made known:
// /etc/aliases, :include: files and .forward (newaliases(1), newinclude(1),
// dot-forward(1)).
//
// A line is read like an address list in a header field (internal/mail/address),
// but for colons and semicolons: those mean nothing, so that "root: joe, ann" is a
// list of three. And
//
//	:include:/path
//
// is a file with more of them. The list is read from its end, so the addresses come
// the last one first.
package looselist

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"goqmail/internal/host/control"
	"goqmail/internal/mail/address"
)

// ErrSyntax says that a line cannot be read.
var ErrSyntax = address.ErrSyntax

// An Entry is an address in a list, or what stands in the place of one.
type Entry struct {
	Text    string // without quotes and comments; it may be empty between < and >
	HasAt   bool   // there is an @ that is not quoted
	Include bool   // it is the name of a file
}

// Entries reads a line.
func Entries(line string) ([]Entry, error) {
	tokens, err := address.Tokens(line)
	if err != nil {
		return nil, err
	}
	l := list{tokens: tokens, wordMayFollow: true}
	for len(l.tokens) > 0 {
		if err := l.step(); err != nil {
			return nil, err
		}
	}
	l.flush()
	return l.entries, nil
}

// A list is read from its end.
type list struct {
	tokens        []address.Token // still to be read
	current       []address.Token // of the current entry, the last one first
	wordMayFollow bool            // a word to the left belongs to the current entry
	entries       []Entry
}

// take takes the last token.
func (l *list) take() address.Token {
	t := l.tokens[len(l.tokens)-1]
	l.tokens = l.tokens[:len(l.tokens)-1]
	return t
}

// step reads a token and what belongs to it.
func (l *list) step() error {
	switch t := l.take(); t.Kind {
	case address.Comment, address.Semicolon:
	case address.Colon:
		l.include()
	case address.Comma:
		l.flush()
		l.wordMayFollow = true
	case address.Right:
		return l.brackets()
	case address.Atom, address.Quoted, address.Literal:
		if !l.wordMayFollow {
			l.flush()
		}
		l.wordMayFollow = false
		l.current = append(l.current, t)
	default:
		l.wordMayFollow = true
		l.current = append(l.current, t)
	}
	return nil
}

// include ends an entry that is the name of a file, if what is to the left of the
// colon says so.
func (l *list) include() {
	n := len(l.tokens)
	if n < 2 || l.tokens[n-2].Kind != address.Colon || l.tokens[n-1] != (address.Token{Kind: address.Atom, Text: "include"}) {
		return
	}
	l.tokens = l.tokens[:n-2]
	l.finish(true)
}

// brackets reads <address> and the phrase before it.
func (l *list) brackets() error {
	l.flush()
	for len(l.tokens) > 0 && l.tokens[len(l.tokens)-1].Kind != address.Left {
		l.current = append(l.current, l.take())
	}
	if len(l.tokens) == 0 {
		return ErrSyntax
	}
	l.finish(false)
	for l.take(); len(l.tokens) > 0 && inPhrase(l.tokens[len(l.tokens)-1].Kind); {
		l.take()
	}
	l.wordMayFollow = false
	return nil
}

func inPhrase(k address.Kind) bool {
	switch k {
	case address.Atom, address.Quoted, address.Comment, address.At, address.Dot:
		return true
	}
	return false
}

// flush ends the current entry if there is one.
func (l *list) flush() {
	if len(l.current) > 0 {
		l.finish(false)
	}
}

// finish ends the current entry, which may be empty.
func (l *list) finish(include bool) {
	e := Entry{Include: include}
	for i, j := 0, len(l.current)-1; i < j; i, j = i+1, j-1 {
		l.current[i], l.current[j] = l.current[j], l.current[i]
	}
	for _, t := range l.current {
		e.HasAt = e.HasAt || t.Kind == address.At
	}
	e.Text = address.Plain(l.current)
	l.current = l.current[:0]
	l.entries = append(l.entries, e)
}

// Hosts is what addresses are completed with, as in qmail-header(5).
type Hosts struct{ Host, Domain, Plus string }

// ReadHosts reads defaulthost, defaultdomain and plusdomain.
func ReadHosts(files control.Dir) (h Hosts, err error) {
	for name, to := range map[string]*string{"defaulthost": &h.Host, "defaultdomain": &h.Domain, "plusdomain": &h.Plus} {
		if *to, err = files.LineOrMe(name, "me"); err != nil {
			return h, fmt.Errorf("unable to read controls: %w", err)
		}
	}
	return h, nil
}

// Complete returns the address of an entry with a fully qualified host.
func (h Hosts) Complete(e Entry) string {
	address := e.Text
	if !e.HasAt {
		address += "@"
	}
	if strings.HasSuffix(address, "@") {
		address += h.Host
	}
	if rest, plus := strings.CutSuffix(address, "+"); plus {
		address = rest + "." + h.Plus
	}
	if !strings.Contains(address[strings.LastIndexByte(address, '@')+1:], ".") {
		address += "." + h.Domain
	}
	return address
}

// MaxFile is the longest file that is read, in bytes. Files are read whole before
// anything of what they say is done.
const MaxFile = 64 << 20

// ErrTooLarge says that a file is longer.
var ErrTooLarge = errors.New("file is too large")

// ReadLines reads a file, and returns its lines without their newlines. The last one
// need not have any.
func ReadLines(r io.Reader) ([]string, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > MaxFile:
		return nil, ErrTooLarge
	case len(text) == 0:
		return nil, nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"), nil
}
