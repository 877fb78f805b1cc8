package smtp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
)

// ErrBareLF says that a message has an LF without a CR before it. It has no
// meaning in SMTP (http://cr.yp.to/docs/smtplf.html), and servers that disagree
// on it can be made to see a message within a message.
var ErrBareLF = errors.New("bare LF")

// Text reads the text of a message as a client sends it behind DATA, and turns
// it into what is stored:
//
//	text = { line } "." CR LF
//	line = [ "." ] { byte } CR LF          CR LF becomes LF, the dot goes
//
// The text ends with CR LF "." CR LF (or "." CR LF at its beginning) and with
// nothing that only looks like it. In particular:
//
//	LF        without CR before it, wherever it is, is ErrBareLF
//	CR        without LF behind it is a byte like others
//	"." CR    at the beginning of a line, no LF behind it, stays, dot and all
//	NUL       is a byte like others
//
// The states are named after what has been read and is not decided yet. At a
// line's beginning a dot, and anywhere a CR, is held back until the byte behind it
// is known:
//
//	state       CR           LF         .            other byte
//	lineStart   lineCR       error      dot          inLine
//	inLine      lineCR       error      inLine       inLine
//	lineCR      lineCR +CR   lineStart  inLine +CR   inLine +CR
//	dot         dotCR        error      inLine       inLine
//	dotCR       lineCR +.CR  end        inLine +.CR  inLine +.CR
//
// "+" is what is stored of what was held back. A line may have any length.
type Text struct {
	r     *bufio.Reader
	state state
	out   []byte
	hops  hopCount
}

type state int

const (
	lineStart state = iota
	inLine
	lineCR
	dot
	dotCR
	end
)

// NewText reads a text from r. Nothing behind the end of the text is taken from
// r, so that a client may send its next commands right away.
func NewText(r *bufio.Reader) *Text { return &Text{r: r} }

// Next returns the next piece of the message, which may be empty and is valid
// until the next call. At the end of the text it returns io.EOF. Any other error
// means that the message is not complete: ErrBareLF, or what reading has failed
// with, where io.EOF is turned to io.ErrUnexpectedEOF.
func (t *Text) Next() ([]byte, error) {
	if t.state == end {
		return nil, io.EOF
	}
	if _, err := t.r.Peek(1); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	in, _ := t.r.Peek(t.r.Buffered())
	n, err := t.decode(in)
	t.hops.count(in[:n])
	t.r.Discard(n)
	return t.out, err
}

// Hops is how many Received and Delivered-To fields there were in what has been
// read.
func (t *Text) Hops() int { return t.hops.n }

// decode stores the message that is in p and says how many bytes of p it is.
func (t *Text) decode(p []byte) (n int, err error) {
	t.out = slices.Grow(t.out[:0], len(p)+len(".\r"))
	for n < len(p) && t.state != end {
		if t.state == lineStart || t.state == inLine {
			n += t.copyLines(p[n:])
			if n == len(p) {
				break
			}
		}
		if err := t.step(p[n]); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// copyLines stores the lines at the beginning of p whose end is there, and then
// what else is certain to be in a line. It stops where the table is needed: at what
// may be the end of the text, an LF without CR, a CR at the end of p. It looks at no
// byte more than a few times.
func (t *Text) copyLines(p []byte) (n int) {
	for {
		line := p[n:]
		if t.state == lineStart && len(line) > 0 && line[0] == '.' {
			if len(line) == 1 || line[1] == '\r' || line[1] == '\n' {
				return n
			}
			line, n = line[1:], n+1
			t.state = inLine
		}
		lf := bytes.IndexByte(line, '\n')
		if lf < 0 {
			return n + t.copyRest(line)
		}
		if lf == 0 || line[lf-1] != '\r' {
			return n + t.copyRest(line[:lf])
		}
		t.out = append(append(t.out, line[:lf-1]...), '\n')
		t.state = lineStart
		n += lf + 1
	}
}

// copyRest stores what is before the last of a line that has not come to its end,
// where CR is held back.
func (t *Text) copyRest(p []byte) int {
	p = bytes.TrimSuffix(p, []byte("\r"))
	if len(p) > 0 {
		t.out = append(t.out, p...)
		t.state = inLine
	}
	return len(p)
}

// step takes one byte through the table above.
func (t *Text) step(c byte) error {
	switch {
	case c == '\n' && t.state == lineCR:
		t.out = append(t.out, '\n')
		t.state = lineStart
		return nil
	case c == '\n' && t.state == dotCR:
		t.state = end
		return nil
	case c == '\n':
		return ErrBareLF
	case c == '.' && t.state == lineStart:
		t.state = dot
		return nil
	case c == '\r' && t.state == dot:
		t.state = dotCR
		return nil
	}
	switch t.state {
	case lineCR:
		t.out = append(t.out, '\r')
	case dotCR:
		t.out = append(t.out, ".\r"...)
	}
	if c == '\r' {
		t.state = lineCR
		return nil
	}
	t.out = append(t.out, c)
	t.state = inLine
	return nil
}
