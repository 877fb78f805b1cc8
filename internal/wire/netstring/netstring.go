// Package netstring reads and writes netstrings:
//
//	netstring = length ":" bytes ","
//	length    = digit { digit }     (in decimal, bytes)
//
// "5:hello," is hello and "0:," is the empty string. Zeros before a length are
// never written; they are read, since qmail's programs read them. QMTP and QMQP
// are made of netstrings, and so is what resident programs say to each other.
//
// A length is bounded by the caller before a byte of it is read, so that a peer
// cannot ask for memory. A malformed netstring is ErrMalformed, one that is too
// long ErrTooLong; the end of the input inside one is io.ErrUnexpectedEOF, and
// before one io.EOF. After an error the input is in no known place.
//
// From http://cr.yp.to/proto/netstrings.txt.
package netstring

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
)

var (
	ErrMalformed = errors.New("malformed netstring")
	ErrTooLong   = errors.New("netstring too long")
)

// ReadLength reads the length and the colon of a netstring of at most max bytes.
func ReadLength(r io.ByteReader, max uint64) (uint64, error) {
	var n uint64
	for i := 0; ; i++ {
		c, err := r.ReadByte()
		switch {
		case err == io.EOF && i > 0:
			return 0, io.ErrUnexpectedEOF
		case err != nil:
			return 0, err
		case c == ':' && i > 0:
			return n, nil
		case c < '0' || c > '9':
			return 0, ErrMalformed
		}
		d := uint64(c - '0')
		if d > max || n > (max-d)/10 {
			return 0, ErrTooLong
		}
		n = n*10 + d
	}
}

// ReadEnd reads the comma behind the bytes of a netstring.
func ReadEnd(r io.ByteReader) error {
	c, err := r.ReadByte()
	switch {
	case err == io.EOF:
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	case c != ',':
		return ErrMalformed
	}
	return nil
}

// Read reads a netstring of at most max bytes.
func Read(r *bufio.Reader, max uint64) ([]byte, error) {
	n, err := ReadLength(r, max)
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return b, ReadEnd(r)
}

// Inside reads the bytes of a netstring that has others in it, and nothing
// beyond: to reach over its end is ErrMalformed, since what is inside claims to
// be longer than the whole. The end of the input is io.ErrUnexpectedEOF.
type Inside struct {
	r    *bufio.Reader
	left uint64
}

// NewInside reads a netstring whose length has been read.
func NewInside(r *bufio.Reader, length uint64) *Inside { return &Inside{r, length} }

// Left is how many bytes there are still to read.
func (in *Inside) Left() uint64 { return in.left }

// ReadByte reads a byte.
func (in *Inside) ReadByte() (byte, error) {
	if in.left == 0 {
		return 0, ErrMalformed
	}
	c, err := in.r.ReadByte()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		in.left--
	}
	return c, err
}

// Copy writes the next n bytes to w, piece by piece.
func (in *Inside) Copy(w io.Writer, n uint64) error {
	if n > in.left {
		return ErrMalformed
	}
	for n > 0 {
		if _, err := in.r.Peek(1); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		piece, _ := in.r.Peek(int(min(n, uint64(in.r.Buffered()))))
		if _, err := w.Write(piece); err != nil {
			return err
		}
		in.r.Discard(len(piece))
		in.left -= uint64(len(piece))
		n -= uint64(len(piece))
	}
	return nil
}

// Text returns the next n bytes. Where that is more than max they are passed over,
// and fits is false.
func (in *Inside) Text(n, max uint64) (text string, fits bool, err error) {
	if n > max {
		return "", false, in.Copy(io.Discard, n)
	}
	var b strings.Builder
	err = in.Copy(&b, n)
	return b.String(), true, err
}

// Append adds s as a netstring to b.
func Append(b []byte, s string) []byte {
	b = strconv.AppendInt(b, int64(len(s)), 10)
	b = append(b, ':')
	b = append(b, s...)
	return append(b, ',')
}

// Size is how long a netstring of n bytes is.
func Size(n int) int {
	size := n + len("0:,")
	for ; n >= 10; n /= 10 {
		size++
	}
	return size
}

// Cut takes a netstring from the front of b. What it returns is inside b. An end
// of b within the netstring is io.ErrUnexpectedEOF, an empty b io.EOF.
func Cut(b []byte) (text, rest []byte, err error) {
	var n int
	for i, c := range b {
		switch {
		case c == ':' && i > 0:
			b = b[i+1:]
			if n >= len(b) { // the comma has to be there too
				return nil, nil, io.ErrUnexpectedEOF
			}
			if b[n] != ',' {
				return nil, nil, ErrMalformed
			}
			return b[:n], b[n+1:], nil
		case c < '0' || c > '9':
			return nil, nil, ErrMalformed
		case n > len(b):
			return nil, nil, io.ErrUnexpectedEOF
		}
		n = n*10 + int(c-'0')
	}
	if len(b) == 0 {
		return nil, nil, io.EOF
	}
	return nil, nil, io.ErrUnexpectedEOF
}
