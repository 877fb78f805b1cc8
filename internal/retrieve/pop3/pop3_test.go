package pop3

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// talk holds a conversation in which the server answers with what it was told.
func talk(in string, capable bool) (out string, err error) {
	var b strings.Builder
	s := New(strings.NewReader(in), &b, capable, "IMPLEMENTATION test")
	err = s.Run(func(verb, argument string) error {
		switch verb {
		case "quit":
			s.OK("")
			return ErrQuit
		case "list":
			s.OK(argument)
			s.Out.WriteString("1 2\r\n")
			s.End()
		default:
			s.Err(verb)
		}
		return nil
	})
	return b.String(), err
}

func TestRun(t *testing.T) {
	const capa = "+OK \r\nTOP\r\nUSER\r\nUIDL\r\nPIPELINING\r\nEXPIRE NEVER\r\nIMPLEMENTATION test\r\n.\r\n"
	for _, c := range []struct {
		name, in string
		capable  bool
		out      string
		err      error
	}{
		{"nothing", "", true, "", io.EOF},
		{"quit", "QUIT\r\n", true, "+OK \r\n", ErrQuit},
		{"nothing after quit", "quit\nLIST\n", true, "+OK \r\n", ErrQuit},
		{"a list", "LisT  a b\r\n", true, "+OK a b\r\n1 2\r\n.\r\n", io.EOF},
		{"capa", "CAPA\r\nCapa x\r\n", true, capa + capa, io.EOF},
		{"capa that is not offered", "CAPA\r\n", false, "-ERR capa\r\n", io.EOF},
		{"a line that is cut off", "QUIT", true, "", io.EOF},
		{"a line of the largest size", strings.Repeat("x", MaxCommand-1) + "\nquit\n", true, "-ERR " + strings.Repeat("x", MaxCommand-1) + "\r\n+OK \r\n", ErrQuit},
		{"a long line", "LIST " + strings.Repeat("x", 100_000) + "\r\nQUIT\r\n", true, "-ERR command line too long\r\n+OK \r\n", ErrQuit},
		{"NUL", "quit\x00 now\n", true, "+OK \r\n", ErrQuit},
	} {
		if out, err := talk(c.in, c.capable); out != c.out || err != c.err {
			t.Errorf("%s: %q, %v, want %q, %v", c.name, out, err, c.out, c.err)
		}
	}
}

// TestBatch: commands that come at once are answered at once.
func TestBatch(t *testing.T) {
	var writes []string
	out := writer(func(p []byte) { writes = append(writes, string(p)) })
	s := New(strings.NewReader("NOOP\r\nNOOP\r\nNOOP\r\n"), out, false)
	err := s.Run(func(verb, argument string) error { s.OK(""); return nil })
	if err != io.EOF || len(writes) != 1 || writes[0] != "+OK \r\n+OK \r\n+OK \r\n" {
		t.Errorf("%q, %v", writes, err)
	}
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }

func TestReadingFails(t *testing.T) {
	broken := errors.New("broken")
	s := New(io.MultiReader(strings.NewReader("noop\n"), errReader{broken}), io.Discard, false)
	if err := s.Run(func(verb, argument string) error { return nil }); err != broken {
		t.Error(err)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// FuzzRun: there is a reply of one line for each line.
func FuzzRun(f *testing.F) {
	for _, s := range []string{"NOOP\r\nCAPA\r\n", "\x00\n \n\r\n", "QUIT\nx\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var b strings.Builder
		s := New(strings.NewReader(in), &b, false)
		s.Run(func(verb, argument string) error { s.OK(""); return nil })
		if got, want := strings.Count(b.String(), "\r\n"), strings.Count(in, "\n"); got != want {
			t.Errorf("%d replies to %d lines", got, want)
		}
	})
}
