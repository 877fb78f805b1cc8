package pop3d

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestText(t *testing.T) {
	lines := func(n uint64) *uint64 { return &n }
	for _, c := range []struct {
		name, message string
		top           *uint64
		want          string
	}{
		{"usual", "a: b\n\nc\n", nil, "a: b\r\n\r\nc\r\n"},
		{"empty", "", nil, ""},
		{"no end", "a\n\nb", nil, "a\r\n\r\nb\r\n"},
		{"an empty line", "\n", nil, "\r\n"},
		{"dots", ".\n..\n.a\na.\n.", nil, "..\r\n...\r\n..a\r\na.\r\n..\r\n"},
		{"carriage returns", "a\r\n\r\nb\rc\n", nil, "a\r\r\n\r\r\nb\rc\r\n"},
		{"any byte", "\x00\xff\n", nil, "\x00\xff\r\n"},
		{"a long line", strings.Repeat("x", 3*sendSize) + "\n.\n", nil, strings.Repeat("x", 3*sendSize) + "\r\n..\r\n"},
		{"many lines", strings.Repeat(".\n", 2*sendSize), nil, strings.Repeat("..\r\n", 2*sendSize)},

		{"no lines", "a\nb\n\nc\nd\n", lines(0), "a\r\nb\r\n\r\n"},
		{"one line", "a\nb\n\nc\nd\n", lines(1), "a\r\nb\r\n\r\nc\r\n"},
		{"as many as there are", "a\n\nc\nd\n", lines(2), "a\r\n\r\nc\r\nd\r\n"},
		{"more than there are", "a\n\nc", lines(9), "a\r\n\r\nc\r\n"},
		{"empty lines and dots count", "a\n\n\n.\nb\n", lines(2), "a\r\n\r\n\r\n..\r\n"},
		{"no header", "\na\nb\n", lines(1), "\r\na\r\n"},
		{"no body", "a\n", lines(0), "a\r\n"},
		{"a line with CR does not end the header", "a\r\n\r\nb\n", lines(0), "a\r\r\n\r\r\nb\r\n"},
		{"a header of any length", strings.Repeat("a\n", sendSize) + "\nb\n", lines(0), strings.Repeat("a\r\n", sendSize) + "\r\n"},
	} {
		for how, r := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader, "data with EOF": iotest.DataErrReader,
		} {
			var out strings.Builder
			s := sender{out: &out}
			s.message(strings.NewReader("x"), nil) // leaves nothing behind
			out.Reset()
			if err := s.message(r(strings.NewReader(c.message)), c.top); err != nil || out.String() != c.want+"\r\n.\r\n" {
				t.Errorf("%s, %s: %.100q, %v, want %.100q", c.name, how, out.String(), err, c.want)
			}
		}
	}
}

// FuzzText: a client that undoes what POP3 does gets the message back.
func FuzzText(f *testing.F) {
	for _, s := range []string{"a\n\nb\n", ".\n..\n\n.", "\r\n.\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, message string) {
		var out strings.Builder
		s := sender{out: &out}
		if err := s.message(iotest.HalfReader(strings.NewReader(message)), nil); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(out.String(), "\r\n")
		end := len(lines) - 3 // the empty line, the dot, what is behind it
		if end < 0 || lines[end] != "" || lines[end+1] != "." || lines[end+2] != "" {
			t.Fatalf("%q", out.String())
		}
		var got strings.Builder
		for _, line := range lines[:end] {
			if line == "." {
				t.Fatalf("%q", out.String())
			}
			got.WriteString(strings.TrimPrefix(line, ".") + "\n")
		}
		if want := strings.TrimSuffix(message, "\n"); strings.TrimSuffix(got.String(), "\n") != want && !strings.Contains(message, "\r") {
			t.Errorf("%q became %q", message, got.String())
		}
	})
}
