package command

import (
	"bufio"
	"io"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	for _, c := range []struct{ line, verb, argument string }{
		{"QUIT\r\n", "QUIT", ""},
		{"QUIT\n", "QUIT", ""},
		{"\r\n", "", ""},
		{" NOOP\r\n", "", "NOOP"},
		{"HELO   a b \r\n", "HELO", "a b "},
		{"NOOP\r\r\n", "NOOP\r", ""},
		{"NOOP\x00 x\r\n", "NOOP", ""},
		{"NOOP\r\x00\r\n", "NOOP\r", ""},
		{"MAIL FROM:<a\x00b>\r\n", "MAIL", "FROM:<a"},
		{"NOOP\tx\r\n", "NOOP\tx", ""},
		{"NOOP " + strings.Repeat("x", 100) + "\r\n", "NOOP", strings.Repeat("x", 100)},
	} {
		verb, argument, err := NewLines(bufio.NewReaderSize(strings.NewReader(c.line), 16), 1000).Next()
		if verb != c.verb || argument != c.argument || err != nil {
			t.Errorf("%.20q: %q, %q, %v", c.line, verb, argument, err)
		}
	}
}

func TestLongLines(t *testing.T) {
	const most = 1000
	long := func(n int) string { return strings.Repeat("x", n-1) + "\n" }
	for _, size := range []int{16, 300, 4096} {
		l := NewLines(bufio.NewReaderSize(strings.NewReader(long(most)+long(most+1)+long(3*most)+"NOOP\nQUI"), size), most)
		for _, want := range []error{nil, ErrTooLong, ErrTooLong, nil, io.EOF} {
			if _, _, err := l.Next(); err != want {
				t.Errorf("buffer of %d: %v, want %v", size, err, want)
			}
		}
	}
}

func FuzzLines(f *testing.F) {
	for _, s := range []string{"MAIL FROM:<a@b>\r\n", "NOOP\n\n", "\x00\r\n", " \r\r\nx"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		l := NewLines(bufio.NewReaderSize(strings.NewReader(string(in)), 16), 1000)
		lines := 0
		for {
			verb, argument, err := l.Next()
			if err == ErrTooLong {
				lines++
				continue
			}
			if err != nil {
				break
			}
			lines++
			if strings.ContainsAny(verb, " \x00\n") || strings.ContainsAny(argument, "\x00\n") || strings.HasPrefix(argument, " ") {
				t.Errorf("%q, %q in %q", verb, argument, in)
			}
		}
		if lines != strings.Count(string(in), "\n") {
			t.Errorf("%d lines in %q", lines, in)
		}
	})
}
