// Package excerpt shows a user what a message is about: the beginning of its subject
// and of its body, in so many bytes. A message and a field of it may have any length.
package excerpt

import (
	"bufio"
	"io"

	"goqmail/internal/mail/fold"
	"goqmail/internal/mail/header"
)

// Of returns the contents of the Subject fields of a message, and then its body with
// the empty line before it, up to a size in bytes. The other fields go to see, if
// that is not nil. An error is one of reading; what came before it is returned with
// it.
func Of(message io.Reader, size int, see func(header.Field)) (string, error) {
	text := make([]byte, 0, size)
	add := func(r io.Reader) error {
		n, err := io.ReadFull(r, text[len(text):size])
		text = text[:len(text)+n]
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = nil
		}
		return err
	}
	r := header.NewReader(message)
	for {
		field, err := r.Next()
		if err == io.EOF {
			err = add(r.Body())
			return string(text), err
		}
		switch {
		case err != nil:
		case fold.Equal(field.Name, "Subject"):
			err = add(Contents(field))
		case see != nil:
			see(field)
		}
		if err != nil {
			return string(text), err
		}
	}
}

// Contents is what a field says: its text without the name, the colon and the white
// space behind that.
func Contents(field header.Field) io.Reader {
	r := bufio.NewReader(field.Text)
	for colon := false; ; {
		switch c, err := r.ReadByte(); {
		case err != nil:
			return r
		case !colon:
			colon = c == ':'
		case c != ' ' && c != '\t' && c != '\r' && c != '\n':
			r.UnreadByte()
			return r
		}
	}
}

// Printable puts a mark in place of each byte that is not printing ASCII, so that a
// text cannot do anything to a terminal.
func Printable(text string, mark byte) string {
	b := []byte(text)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = mark
		}
	}
	return string(b)
}
