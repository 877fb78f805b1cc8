package mboxrd

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestFromLine(t *testing.T) {
	when := time.Date(1996, 1, 3, 1, 5, 34, 0, time.UTC).In(time.FixedZone("", 9*3600))
	for _, c := range []struct{ sender, want string }{
		{"god@heaven.example", "From god@heaven.example Wed Jan 03 01:05:34 1996\n"},
		{"", "From MAILER-DAEMON Wed Jan 03 01:05:34 1996\n"},
		{"#@[]", "From #@[] Wed Jan 03 01:05:34 1996\n"},
		{"a b\tc\nd@x", "From a-b-c-d@x Wed Jan 03 01:05:34 1996\n"},
	} {
		if got := FromLine(c.sender, when); got != c.want {
			t.Errorf("%q: %q, want %q", c.sender, got, c.want)
		}
	}
}

var messages = []struct{ name, text, want string }{
	{"empty", "", "\n"},
	{"a newline", "\n", "\n\n"},
	{"simple", "A: b\n\nc\n", "A: b\n\nc\n\n"},
	{"partial last line", "A: b\n\nc", "A: b\n\nc\n\n"},
	{"From_ lines", "From x\n>From y\n>>From z\n From w\nFromage\nFrom\nFrom \n", ">From x\n>>From y\n>>>From z\n From w\nFromage\nFrom\n>From \n\n"},
	{"partial From_ line", "\nFrom x", "\n>From x\n\n"},
	{"partial beginning of a From_ line", "\n>Fro", "\n>Fro\n\n"},
	{"a > alone", ">", ">\n\n"},
	{"From twice", "FromFrom \nFFrom \n", "FromFrom \nFFrom \n\n"},
	{"> in the middle", ">F>rom \n>Fro>m \n", ">F>rom \n>Fro>m \n\n"},
	{"CRLF and NUL", "From x\r\n\x00\r\n", ">From x\r\n\x00\r\n\n"},
	{"many >", strings.Repeat(">", 100000) + "From \n", strings.Repeat(">", 100001) + "From \n\n"},
}

func quoted(t *testing.T, text io.Reader) string {
	t.Helper()
	var b bytes.Buffer
	q := NewQuoter(&b)
	if _, err := io.Copy(q, text); err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestQuoter(t *testing.T) {
	for _, c := range messages {
		t.Run(c.name, func(t *testing.T) {
			if got := quoted(t, strings.NewReader(c.text)); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if got := quoted(t, iotest.OneByteReader(strings.NewReader(c.text))); got != c.want {
				t.Errorf("byte by byte: %q, want %q", got, c.want)
			}
		})
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestQuoterWriteErrors(t *testing.T) {
	for _, text := range []string{"a", ">", "From ", "Frox"} {
		if _, err := NewQuoter(full{}).Write([]byte(text)); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
	if NewQuoter(full{}).Close() == nil {
		t.Error("Close: no error")
	}
}

// FuzzQuoter: whatever comes out reads back as what went in, and no line of it
// is a From_ line, whatever the pieces it is written in.
func FuzzQuoter(f *testing.F) {
	for _, c := range messages {
		f.Add([]byte(c.text), 3)
	}
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		var b bytes.Buffer
		q := NewQuoter(&b)
		size = 1 + (size&0x7fffffff)%100
		for rest := text; len(rest) > 0; {
			n := min(size, len(rest))
			if m, err := q.Write(rest[:n]); m != n || err != nil {
				t.Fatal(m, err)
			}
			rest = rest[n:]
		}
		q.Close()
		var back strings.Builder
		for _, line := range strings.SplitAfter(strings.TrimSuffix(b.String(), "\n"), "\n") {
			if strings.HasPrefix(line, from) {
				t.Errorf("a From_ line: %q", line)
			}
			if strings.HasPrefix(strings.TrimLeft(line, ">"), from) {
				line = line[1:]
			}
			back.WriteString(line)
		}
		want := string(text)
		if want != "" && !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		if back.String() != want {
			t.Errorf("%q reads back as %q", text, back.String())
		}
	})
}
