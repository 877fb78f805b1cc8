package address

import (
	"io"
	"slices"
)

// A Stack holds tokens and gives the last one back first; io.EOF says that none is
// left.
type Stack interface {
	Push(Token) error
	Pop() (Token, error)
}

// Slice is a Stack in memory.
type Slice []Token

// Push adds a token.
func (s *Slice) Push(t Token) error {
	*s = append(*s, t)
	return nil
}

// Pop takes the last token.
func (s *Slice) Pop() (Token, error) {
	if len(*s) == 0 {
		return Token{}, io.EOF
	}
	last := len(*s) - 1
	t := (*s)[last]
	*s = (*s)[:last]
	return t, nil
}

// Rewrite reads the address list that is on a stack and puts it on another, in
// reverse: its first token is the last one put there. Each address is replaced by
// what complete returns for it, and complete is called for the last address first.
//
// Where the list cannot be read it returns ErrSyntax; complete may have been called
// for addresses behind that place.
func Rewrite(to, from Stack, complete func(address []Token) ([]Token, error)) error {
	l := list{to: to, from: from, complete: complete, wordMayFollow: true}
	l.advance()
	for l.more() {
		l.step()
	}
	l.flush()
	return l.err
}

// A list is an address list that is read from its end.
type list struct {
	to, from Stack
	complete func([]Token) ([]Token, error)

	token Token // the one to the left of what has been read
	end   bool  // there is none
	err   error // why the reading stops

	address []Token // the tokens of the current address, the last one first
	size    int     // bytes in them
	inGroup bool    // between the semicolon and the colon of a group

	// wordMayFollow holds where one more word to the left belongs to the same
	// address. Two words in a row do not.
	wordMayFollow bool
}

func (l *list) more() bool { return l.err == nil && !l.end }

// advance goes one token to the left.
func (l *list) advance() {
	switch t, err := l.from.Pop(); err {
	case nil:
		l.token = t
	case io.EOF:
		l.end = true
	default:
		l.fail(err)
	}
}

func (l *list) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

// put puts the token into the result as it is.
func (l *list) put() {
	l.emit(l.token)
	l.advance()
}

// keep makes the token a part of the current address.
func (l *list) keep() {
	l.address = append(l.address, l.token)
	if l.size += max(1, len(l.token.Text)); l.size > MaxWord {
		l.fail(ErrLong)
	}
	l.advance()
}

func (l *list) emit(t Token) {
	if err := l.to.Push(t); err != nil {
		l.fail(err)
	}
}

// finish ends the current address, which may be empty.
func (l *list) finish() {
	if l.err != nil {
		return
	}
	slices.Reverse(l.address)
	completed, err := l.complete(l.address)
	if err != nil {
		l.fail(err)
		return
	}
	for _, t := range slices.Backward(completed) {
		l.emit(t)
	}
	l.address, l.size = l.address[:0], 0
}

// flush ends the current address if there is one.
func (l *list) flush() bool {
	if len(l.address) == 0 {
		return false
	}
	l.finish()
	return true
}

// separate ends the current address and puts the comma that is missing before it.
func (l *list) separate() {
	if l.flush() {
		l.emit(Token{Kind: Comma})
	}
}

// step reads the next token to the left, and what belongs to it.
func (l *list) step() {
	switch l.token.Kind {
	case Atom, Quoted, Literal:
		if !l.wordMayFollow {
			l.separate()
		}
		l.wordMayFollow = false
		l.keep()
	case Comment:
		l.put()
	case Comma:
		l.flush()
		l.wordMayFollow = true
		l.put()
	case Right:
		l.brackets()
	case Semicolon:
		l.separate()
		if l.inGroup {
			l.fail(ErrSyntax)
		}
		l.inGroup, l.wordMayFollow = true, true
		l.put()
	case Colon:
		l.groupName()
	default: // the specials within an address, and a < without >
		l.wordMayFollow = true
		l.keep()
	}
}

// brackets reads <address> and the phrase before it.
func (l *list) brackets() {
	l.separate()
	l.put()
	for l.more() && l.token.Kind != Left {
		l.keep()
	}
	l.finish()
	if l.end {
		l.fail(ErrSyntax)
		return
	}
	l.put()
	for l.more() && l.token.Kind.inPhrase() {
		l.put()
	}
	l.wordMayFollow = false
}

func (k Kind) inPhrase() bool {
	return k == Atom || k == Quoted || k == Comment || k == At || k == Dot
}

// groupName reads the colon of a group and the name before it.
func (l *list) groupName() {
	l.flush()
	if !l.inGroup {
		l.fail(ErrSyntax)
		return
	}
	l.inGroup, l.wordMayFollow = false, true
	for l.more() && l.token.Kind != Comma {
		l.put()
	}
	if l.more() {
		l.put()
	}
}
