// Package header takes a message apart into the fields of its header and its body,
// the way qmail-inject has always done it with what people give it:
//
//		message   = *field [ newline body ]
//		field     = name *( space / tab ) ":" contents newline *continuation
//		name      = 1*<printable ASCII but space and ":">
//		continuation = ( space / tab ) contents newline
//
//	  - A line that begins with "From ", as in an mbox, is made a field MBOX-Line.
//	  - Any other line that is no field ends the header. It is the first of the body,
//	    and an empty line is put before it.
//	  - A newline that is missing at the very end is added.
//
// A field and the body are read in pieces and may have any length; only a name has
// at most MaxName bytes with what stands before its colon, or it is none.
package header

import (
	"bufio"
	"bytes"
	"io"
)

// MaxName is the longest name of a field, in bytes.
const MaxName = 32 << 10

// mboxName is the name of the field that is made of a "From " line.
const mboxName = "MBOX-Line"

// A Reader reads a message.
type Reader struct {
	b     *bufio.Reader
	piece []byte // what is left of the piece of a line that was read last
	ended bool   // the line ends with that piece
	open  bool   // a field was begun, and may go on
}

// NewReader returns a Reader of a message.
func NewReader(message io.Reader) *Reader {
	return &Reader{b: bufio.NewReaderSize(message, MaxName), ended: true}
}

// A Field is a field of a header. Text is all of it, from the name to the last
// newline; it is good until the next call of Next.
type Field struct {
	Name string
	Text io.Reader
}

// Next returns the next field; the error is io.EOF where the header has ended.
func (r *Reader) Next() (Field, error) {
	text := fieldText{r}
	if r.open {
		if _, err := io.Copy(io.Discard, text); err != nil {
			return Field{}, err
		}
		r.open = false
	}
	if err := r.fill(); err != nil {
		return Field{}, err
	}
	if bytes.HasPrefix(r.piece, []byte("From ")) {
		r.piece = append([]byte(mboxName+": "), r.piece...)
	}
	if name, ok := nameOf(r.piece); ok {
		r.open = true
		return Field{name, text}, nil
	}
	if r.piece[0] != '\n' {
		r.piece = append([]byte{'\n'}, r.piece...)
	}
	return Field{}, io.EOF
}

// Body returns what follows the header, with the empty line between them. It is to
// be called when Next has returned io.EOF.
func (r *Reader) Body() io.Reader {
	return bodyText{r}
}

// fill reads a piece of a line, up to its newline if that is near.
func (r *Reader) fill() error {
	piece, err := r.b.ReadSlice('\n')
	switch {
	case err == nil:
		r.ended = true
	case err == bufio.ErrBufferFull:
		r.ended = false
	case err == io.EOF && (len(piece) > 0 || !r.ended):
		piece, r.ended = append(bytes.Clone(piece), '\n'), true
	default:
		return err
	}
	r.piece = piece
	return nil
}

// take hands out some of the piece.
func (r *Reader) take(p []byte) int {
	n := copy(p, r.piece)
	r.piece = r.piece[n:]
	return n
}

// nameOf returns the name of the field that a line begins, if it does.
func nameOf(line []byte) (string, bool) {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return "", false
	}
	name := bytes.TrimRight(line[:colon], " \t")
	for _, c := range name {
		if c <= ' ' || c >= 0x7f {
			return "", false
		}
	}
	return string(name), len(name) > 0
}

// fieldText is the rest of the current field.
type fieldText struct{ r *Reader }

func (t fieldText) Read(p []byte) (int, error) {
	if err := t.next(); err != nil {
		return 0, err
	}
	return t.r.take(p), nil
}

// WriteTo writes the rest of the field. It saves io.Copy the buffer that it would
// otherwise make for each field of a header.
func (t fieldText) WriteTo(w io.Writer) (written int64, err error) {
	for {
		if err := t.next(); err == io.EOF {
			return written, nil
		} else if err != nil {
			return written, err
		}
		n, err := w.Write(t.r.piece)
		written += int64(n)
		if err != nil {
			return written, err
		}
		t.r.piece = nil
	}
}

// next makes sure that there is a piece of the field.
func (t fieldText) next() error {
	r := t.r
	for len(r.piece) == 0 {
		if r.ended {
			next, err := r.b.Peek(1)
			if err != nil {
				return err
			}
			if next[0] != ' ' && next[0] != '\t' {
				return io.EOF
			}
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
	return nil
}

// bodyText is the rest of the message.
type bodyText struct{ r *Reader }

func (t bodyText) Read(p []byte) (int, error) {
	r := t.r
	if len(r.piece) > 0 || len(p) == 0 {
		return r.take(p), nil
	}
	n, err := r.b.Read(p)
	switch {
	case n > 0:
		r.ended = p[n-1] == '\n'
	case err == io.EOF && !r.ended:
		p[0], n, err, r.ended = '\n', 1, nil, true
	}
	return n, err
}
