// Package address reads, completes and writes the address lists of header fields
// (qmail-header(5); RFC 822, sections 3.3 and 6).
//
// # Words and specials
//
//	field    = *( word / special / comment / white space )
//	word     = atom / quoted / literal
//	atom     = 1*<any byte but white space and ( [ " < > ; : @ , . >, and \ with
//	           any byte behind it; not ) or ] in the first place>
//	quoted   = <"> *<bytes, and \ with any byte behind it> <">
//	literal  = "[" *<bytes, and \ with any byte behind it> "]"
//	comment  = "(" *<bytes, comments, and \ with any byte behind it> ")"
//	special  = "." / "," / "@" / "<" / ">" / ":" / ";"
//
// That is more than RFC 822 allows: control and 8-bit bytes are parts of words. A
// word is kept without its quotes and backslashes, a comment without its inner
// parentheses. An atom that only backslashes hold together is a quoted word from
// then on.
//
// # Lists
//
// Any sequence of tokens is read in some way, if possible at all. It is read from
// its end, where RFC 822 lists need no look-ahead:
//
//	list     = *( element "," )
//	element  = address / [ phrase ] "<" address ">" / phrase ":" list ";" / nothing
//	phrase   = *( word / "." / "@" / comment )
//	address  = [ "@" host *( "," "@" host ) ":" ] local [ "@" host ]
//
// Where two addresses have only space between them, as people wrote once, a comma is
// put there. A comment within an address that has no angle brackets moves behind it.
//
// # Limits
//
// A list may have any length: Rewrite asks for one token at a time and hands out one
// at a time. A word, a comment, or the whole of what stands between angle brackets,
// has at most MaxWord bytes. Nesting takes no stack.
package address

import (
	"errors"
	"io"
	"strings"
)

// MaxWord is the longest word or comment, and the longest address with all that is
// written within it, in bytes.
const MaxWord = 256 << 10

// What can be wrong with a list.
var (
	ErrSyntax = errors.New("syntax error in an address list")
	ErrLong   = errors.New("a word or an address that is too long")
)

// A Kind says what a token is.
type Kind byte

// The kinds of tokens. Those with a text are words and comments, the others are
// specials.
const (
	Atom Kind = iota
	Quoted
	Literal
	Comment
	Dot
	Comma
	At
	Left
	Right
	Colon
	Semicolon
)

// specials are the bytes that stand for the kinds from Dot on.
const specials = ".,@<>:;"

func (k Kind) isSpecial() bool { return k >= Dot }

// A Token is a word, a comment or a special.
type Token struct {
	Kind Kind
	Text string // of a word or a comment, without quotes and backslashes
}

// A Scanner takes text apart into tokens.
type Scanner struct {
	text io.ByteScanner
	word []byte // what has been read of the word, for its memory
}

// NewScanner returns a Scanner of a text.
func NewScanner(text io.ByteScanner) *Scanner { return &Scanner{text: text} }

// Next returns the next token. At the end the error is io.EOF. Otherwise it is
// ErrSyntax, ErrLong or that of reading.
func (s *Scanner) Next() (Token, error) {
	for {
		c, err := s.text.ReadByte()
		if err != nil {
			return Token{}, err
		}
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		case ')', ']':
			return Token{}, ErrSyntax
		case '(':
			return s.enclosed(Comment, ')')
		case '"':
			return s.enclosed(Quoted, '"')
		case '[':
			return s.enclosed(Literal, ']')
		}
		if i := strings.IndexByte(specials, c); i >= 0 {
			return Token{Kind: Dot + Kind(i)}, nil
		}
		return s.atom(c)
	}
}

// enclosed reads what follows an opening character up to the one that ends it. Of
// the three only comments nest.
func (s *Scanner) enclosed(kind Kind, end byte) (Token, error) {
	s.word = s.word[:0]
	for level := 1; level > 0; {
		c, err := s.text.ReadByte()
		switch {
		case err == nil && c == '\\':
			if c, err = s.text.ReadByte(); err == nil {
				err = s.add(c)
			}
		case err != nil:
		case c == end:
			level--
		case c == '(' && kind == Comment:
			level++
		default:
			err = s.add(c)
		}
		if err == io.EOF {
			return Token{}, ErrSyntax
		}
		if err != nil {
			return Token{}, err
		}
	}
	return Token{kind, string(s.word)}, nil
}

// atom reads an atom that begins with c.
func (s *Scanner) atom(c byte) (Token, error) {
	s.word = s.word[:0]
	for {
		var err error
		if c == '\\' {
			c, err = s.text.ReadByte()
		}
		if err == nil {
			err = s.add(c)
		}
		if err == nil {
			c, err = s.text.ReadByte()
		}
		switch {
		case err == io.EOF:
			return s.unquoted(), nil
		case err != nil:
			return Token{}, err
		case endsAtom(c):
			return s.unquoted(), s.text.UnreadByte()
		}
	}
}

// unquoted makes a token of a word without quotes: an atom, unless it needs some.
func (s *Scanner) unquoted() Token {
	t := Token{Atom, string(s.word)}
	if len(s.word) == 0 {
		t.Kind = Quoted
	}
	for _, c := range s.word {
		if c <= ' ' || c >= 0x7f || c == ')' || c == ']' || c == '\\' || endsAtom(c) {
			t.Kind = Quoted
		}
	}
	return t
}

func (s *Scanner) add(c byte) error {
	if len(s.word) == MaxWord {
		return ErrLong
	}
	s.word = append(s.word, c)
	return nil
}

func endsAtom(c byte) bool {
	switch c {
	case ' ', '\t', '\r', '\n', '(', '[', '"', '<', '>', ';', ':', '@', ',', '.':
		return true
	}
	return false
}

// Tokens returns the tokens of a short text.
func Tokens(text string) (tokens []Token, err error) {
	s := NewScanner(strings.NewReader(text))
	for {
		t, err := s.Next()
		if err == io.EOF {
			return tokens, nil
		}
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
	}
}

// Plain returns an address as envelopes have it: without quotes, comments and space.
func Plain(address []Token) string {
	var b strings.Builder
	for _, t := range address {
		switch {
		case t.Kind.isSpecial():
			b.WriteByte(specials[t.Kind-Dot])
		case t.Kind == Literal:
			b.WriteString("[" + t.Text + "]")
		case t.Kind != Comment:
			b.WriteString(t.Text)
		}
	}
	return b.String()
}
