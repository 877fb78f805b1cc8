package netstring

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	const max = 10
	for _, c := range []struct {
		in, want string
		err      error
	}{
		{"5:hello,", "hello", nil},
		{"0:,", "", nil},
		{"10:0123456789,", "0123456789", nil},
		{"3:a,:,", "a,:", nil},
		{"", "", io.EOF},
		{"5", "", io.ErrUnexpectedEOF},
		{"5:", "", io.ErrUnexpectedEOF},
		{"5:hell", "", io.ErrUnexpectedEOF},
		{"5:hello", "", io.ErrUnexpectedEOF},
		{"5:hello;", "", ErrMalformed},
		{":,", "", ErrMalformed},
		{"05:hello,", "", ErrMalformed},
		{"00:,", "", ErrMalformed},
		{"-1:,", "", ErrMalformed},
		{"+1:a,", "", ErrMalformed},
		{"5 :hello,", "", ErrMalformed},
		{"11:0123456789a,", "", ErrTooLong},
		{"99999999999999999999999999:", "", ErrTooLong},
	} {
		got, err := Read(bufio.NewReader(strings.NewReader(c.in)), max)
		if err != c.err || err == nil && string(got) != c.want {
			t.Errorf("%q: %q, %v, want %q, %v", c.in, got, err, c.want, c.err)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"5:hello,", "0:,", "5:hell", "05:hello,", "99999999999999999999:"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := Read(bufio.NewReader(bytes.NewReader(in)), 1000)
		if err == nil && !bytes.HasPrefix(in, Append(nil, string(got))) {
			t.Errorf("%q read as %q", in, got)
		}
	})
}
