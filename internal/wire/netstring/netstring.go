// Package netstring reads and writes netstrings:
//
//	netstring = length ":" bytes ","
//	length    = "0" | digit of 1-9 { digit }     (in decimal, bytes)
//
// "5:hello," is hello and "0:," is the empty string. QMTP and QMQP are made of
// them, and so is what resident programs say to each other.
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
		case c < '0' || c > '9' || i > 0 && n == 0:
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

// Append adds s as a netstring to b.
func Append(b []byte, s string) []byte {
	b = strconv.AppendInt(b, int64(len(s)), 10)
	b = append(b, ':')
	b = append(b, s...)
	return append(b, ',')
}
