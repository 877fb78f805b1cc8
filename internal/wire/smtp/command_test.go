package smtp

import (
	"bufio"
	"io"
	"strings"
	"testing"
)

func TestCommands(t *testing.T) {
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
		verb, argument, err := NewCommands(bufio.NewReaderSize(strings.NewReader(c.line), 16)).Next()
		if verb != c.verb || argument != c.argument || err != nil {
			t.Errorf("%.20q: %q, %q, %v", c.line, verb, argument, err)
		}
	}
}

func TestLongCommands(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n-1) + "\n" }
	c := NewCommands(bufio.NewReaderSize(strings.NewReader(long(MaxCommand)+long(MaxCommand+1)+long(3*MaxCommand)+"NOOP\nQUI"), 4096))
	for _, want := range []error{nil, ErrCommandTooLong, ErrCommandTooLong, nil, io.EOF} {
		if _, _, err := c.Next(); err != want {
			t.Errorf("%v, want %v", err, want)
		}
	}
}

func FuzzCommands(f *testing.F) {
	for _, s := range []string{"MAIL FROM:<a@b>\r\n", "NOOP\n\n", "\x00\r\n", " \r\r\nx"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		c := NewCommands(bufio.NewReaderSize(strings.NewReader(string(in)), 16))
		lines := 0
		for {
			verb, argument, err := c.Next()
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
