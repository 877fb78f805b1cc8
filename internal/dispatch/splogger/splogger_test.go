package splogger

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

var long = strings.Repeat("0123456789", 200)

var inputs = []struct {
	name string
	in   string
	want []string
}{
	{"nothing", "", nil},
	{"a line", "hello world\n", []string{"<22>Nov 24 05:06:07 tag: S hello world"}},
	{"two lines", "a\nb\n", []string{"<22>Nov 24 05:06:07 tag: S a", "<22>Nov 24 05:06:07 tag: S b"}},
	{"empty lines", "\n\na\n\n", []string{"<22>Nov 24 05:06:07 tag: S a"}},
	{"no newline", "a\nb", []string{"<22>Nov 24 05:06:07 tag: S a"}},
	{"odd bytes", "a\tb\x00c\xe4d\r\n", []string{"<22>Nov 24 05:06:07 tag: S a?b?c?d?"}},
	{"warning", "warning: x\n", []string{"<20>Nov 24 05:06:07 tag: S warning: x"}},
	{"alert", "alert: x\n", []string{"<17>Nov 24 05:06:07 tag: S alert: x"}},
	{"alert in the middle", "no alert: x\n", []string{"<22>Nov 24 05:06:07 tag: S no alert: x"}},
	{"a long alert", "alert: " + long + "\nnext\n", []string{
		"<17>Nov 24 05:06:07 tag: S alert: " + long[:792],
		"<17>Nov 24 05:06:07 tag: S+" + long[792:1591],
		"<17>Nov 24 05:06:07 tag: S+" + long[1591:],
		"<22>Nov 24 05:06:07 tag: S next",
	}},
	{"as long as a piece", long[:MaxPiece] + "\n", []string{"<22>Nov 24 05:06:07 tag: S " + long[:MaxPiece]}},
}

func sent(in io.Reader) (messages []string) {
	when := time.Date(2026, 11, 24, 5, 6, 7, 123456789, time.UTC)
	Logger{"tag", Mail, func() time.Time { return when }, func(m string) {
		messages = append(messages, strings.Replace(m, "1795496767.123456", "S", 1))
	}}.Copy(in)
	return messages
}

func TestCopy(t *testing.T) {
	for _, c := range inputs {
		t.Run(c.name, func(t *testing.T) {
			if got := sent(strings.NewReader(c.in)); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
			if got := sent(iotest.OneByteReader(strings.NewReader(c.in))); !slices.Equal(got, c.want) {
				t.Errorf("byte by byte: %q, want %q", got, c.want)
			}
		})
	}
}

// FuzzCopy: nothing unprintable and nothing long goes out.
func FuzzCopy(f *testing.F) {
	for _, c := range inputs {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for _, m := range sent(strings.NewReader(in)) {
			if len(m) > MaxPiece+len("<22>Nov 24 05:06:07 tag: S ") || strings.IndexFunc(m, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
				t.Errorf("%q", m)
			}
		}
	})
}

// TestSocket: messages arrive, also after the logger was started anew; without one
// they are lost, and nobody waits.
func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	s := &Socket{Path: path}
	s.Send("lost")
	for range 2 {
		l, err := net.ListenPacket("unixgram", path)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"one", "two"} {
			s.Send(want)
			b := make([]byte, 100)
			n, _, err := l.ReadFrom(b)
			if err != nil || string(b[:n]) != want {
				t.Errorf("%q, %v", b[:n], err)
			}
		}
		l.Close()
		os.Remove(path)
		s.Send("lost")
	}
}
