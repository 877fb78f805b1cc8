package address

import (
	"io"
	"strings"
)

// lineLength is how long a line of a field gets, in bytes, if commas allow it.
const lineLength = 78

// A Writer writes the tokens of an address list as a header field. Lines are folded
// behind commas, where they would become longer than 78 bytes.
//
// A word with a line break in it is written with a space in its place, for the rest
// would look like another field.
type Writer struct {
	w    io.Writer
	err  error
	last Kind
	line int // bytes in the current line

	// Behind a comma it depends on what follows, up to the next comma, whether the
	// line is folded: that is kept here.
	undecided bool
	piece     []byte
}

// NewWriter begins a field with a name.
func NewWriter(w io.Writer, name string) *Writer {
	f := &Writer{w: w, last: Colon}
	f.add(name + ":")
	return f
}

// Add writes a token.
func (f *Writer) Add(t Token) error {
	if needsSpace(f.last, t.Kind) {
		f.add(" ")
	}
	f.last = t.Kind
	if t.Kind != Comma {
		f.add(t.text())
		return f.err
	}
	f.add(",")
	if f.undecided {
		f.join()
	}
	f.undecided = true
	return f.err
}

// Close ends the field.
func (f *Writer) Close() error {
	if f.undecided {
		f.join()
	}
	f.add("\n")
	return f.err
}

func (f *Writer) add(text string) {
	if !f.undecided {
		f.line += len(text)
		f.write(text)
		return
	}
	f.piece = append(f.piece, text...)
	if f.line+len(f.piece) > lineLength {
		f.write("\n ")
		f.line = 1
		f.join()
	}
}

// join writes what has been undecided into the current line.
func (f *Writer) join() {
	f.undecided = false
	f.add(string(f.piece))
	f.piece = f.piece[:0]
}

func (f *Writer) write(text string) {
	if f.err == nil {
		_, f.err = io.WriteString(f.w, text)
	}
}

// needsSpace tells where a space is written between two tokens.
func needsSpace(before, after Kind) bool {
	switch {
	case before == Colon, before == Comma, after == Left:
		return true
	}
	return !before.isSpecial() && !after.isSpecial()
}

// text is a token as it is written.
func (t Token) text() string {
	switch t.Kind {
	case Atom:
		return escape.Replace(t.Text)
	case Quoted:
		return `"` + escape.Replace(t.Text) + `"`
	case Literal:
		return "[" + escape.Replace(t.Text) + "]"
	case Comment:
		return "(" + escape.Replace(t.Text) + ")"
	}
	return specials[t.Kind-Dot : t.Kind-Dot+1]
}

var escape = strings.NewReplacer(`"`, `\"`, `[`, `\[`, `]`, `\]`, `(`, `\(`, `)`, `\)`, `\`, `\\`, "\r", " ", "\n", " ")
