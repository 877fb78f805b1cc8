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
		{"05:hello,", "hello", nil},
		{"00:,", "", nil},
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

func TestInside(t *testing.T) {
	in := NewInside(bufio.NewReaderSize(strings.NewReader("5:hello,2:me,rest"), 16), 13)
	var b strings.Builder
	for in.Left() > 0 {
		n, err := ReadLength(in, 100)
		if err == nil {
			err = in.Copy(&b, n)
		}
		if err == nil {
			err = ReadEnd(in)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if b.String() != "hellome" {
		t.Errorf("%q", b.String())
	}
	if _, err := in.ReadByte(); err != ErrMalformed {
		t.Errorf("a byte behind the end: %v", err)
	}
	if err := in.Copy(&b, 1); err != ErrMalformed {
		t.Errorf("a piece behind the end: %v", err)
	}
	short := NewInside(bufio.NewReader(strings.NewReader("abc")), 9)
	if err := short.Copy(&b, 9); err != io.ErrUnexpectedEOF {
		t.Errorf("end of the input: %v", err)
	}
	if _, err := short.ReadByte(); err != io.ErrUnexpectedEOF {
		t.Errorf("end of the input: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"5:hello,", "0:,", "5:hell", "05:hello,", "99999999999999999999:"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := Read(bufio.NewReader(bytes.NewReader(in)), 1000)
		in = bytes.TrimLeft(in, "0")
		if err == nil && !bytes.HasPrefix(in, bytes.TrimLeft(Append(nil, string(got)), "0")) {
			t.Errorf("%q read as %q", in, got)
		}
	})
}
