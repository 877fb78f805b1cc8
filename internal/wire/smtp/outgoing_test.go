package smtp

import (
	"bytes"
	"strings"
	"testing"
)

// send returns the text of a message that comes in pieces of some size.
func send(message []byte, size int) string {
	var o Outgoing
	var text []byte
	for len(message) > 0 {
		n := min(size, len(message))
		before := len(text)
		text = o.Append(text, message[:n])
		if grown := len(text) - before; grown > 2*n+2 {
			panic("longer than promised")
		}
		message = message[n:]
	}
	return string(o.End(text))
}

func TestOutgoing(t *testing.T) {
	for _, c := range []struct{ message, text string }{
		{"", ""},
		{"\n", "\r\n"},
		{"a\n\nb\n", "a\r\n\r\nb\r\n"},
		{".\n", "..\r\n"},
		{"..\n.x\n", "...\r\n..x\r\n"},
		{"a.\nb.c\n .\n", "a.\r\nb.c\r\n .\r\n"},
		{"a\x00\xff\n", "a\x00\xff\r\n"},
		{"partial", "partial\r\n"},
		{".", "..\r\n"},
		{"a\r\nb\r\n", "a\r\nb\r\n"},
		{"a\rb\n", "a\r\nb\r\n"},
		{"a\r.\n", "a\r\n..\r\n"},
		{"a\r.\r\nQUIT\n", "a\r\n..\r\nQUIT\r\n"},
		{"\r.\r", "\r\n..\r\n"},
		{"a\r\r\n", "a\r\n\r\n"},
		{"a\r", "a\r\n"},
		{"\r", "\r\n"},
		{"\n\r\n", "\r\n\r\n"},
	} {
		for _, size := range []int{1, 2, 3, 100} {
			if got := send([]byte(c.message), size); got != c.text+".\r\n" {
				t.Errorf("%q in pieces of %d: %q, want %q", c.message, size, got, c.text)
			}
		}
	}
}

// sent is what arrives of a message.
func sent(message string) string {
	message = strings.ReplaceAll(message, "\r\n", "\n")
	message = strings.ReplaceAll(message, "\r", "\n")
	if message != "" && !strings.HasSuffix(message, "\n") {
		message += "\n"
	}
	return message
}

// FuzzOutgoing sends a message to the strict reader of our own server: it must
// arrive whole, and nothing of it may be left over as commands.
func FuzzOutgoing(f *testing.F) {
	for _, s := range []string{"", "a\n", ".\n", "a\r.\r\nQUIT\n", "\r\r.\r\r\n", "x\n.\n\n", "\r\n.\r\n."} {
		f.Add([]byte(s), 1)
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, message []byte, size int) {
		text := send(message, max(1, size&0xff))
		got, rest, _, err := readText(strings.NewReader(text), 16)
		if want := sent(string(message)); got != want || rest != "" || err != nil {
			t.Errorf("%q arrives as %q, rest %q, %v", message, got, rest, err)
		}
		if at := strings.Index("\r\n"+text, "\r\n.\r\n"); at != len(text)-3 {
			t.Errorf("%q has its end at %d", text, at)
		}
	})
}

func BenchmarkOutgoing(b *testing.B) {
	message := bytes.Repeat([]byte(strings.Repeat("x", 76)+"\n"), 400)
	text := make([]byte, 0, 3*len(message))
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		var o Outgoing
		text = o.Append(text[:0], message)
	}
}
