package header

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// read returns the fields of a message as "name text", and the body.
func read(t *testing.T, message io.Reader) (fields []string, body string) {
	t.Helper()
	r := NewReader(message)
	for {
		f, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(f.Text)
		if err != nil {
			t.Fatal(err)
		}
		fields = append(fields, f.Name+" "+string(text))
	}
	rest, err := io.ReadAll(r.Body())
	if err != nil {
		t.Fatal(err)
	}
	return fields, string(rest)
}

func TestReader(t *testing.T) {
	for _, c := range []struct{ name, message, fields, body string }{
		{"empty", "", "", ""},
		{"a field", "To: a\n", "To To: a\n", ""},
		{"no newline", "To: a", "To To: a\n", ""},
		{"two fields and a body", "To: a\nCc: b\n\nx\n", "To To: a\n;Cc Cc: b\n", "\nx\n"},
		{"folded", "To: a\n b\n\tc\nCc: d", "To To: a\n b\n\tc\n;Cc Cc: d\n", ""},
		{"fold at the end", "To: a\n b", "To To: a\n b\n", ""},
		{"a line of white space goes on", "To: a\n \nCc: b\n", "To To: a\n \n;Cc Cc: b\n", ""},
		{"body only", "\nx\n", "", "\nx\n"},
		{"body without newline", "\nx", "", "\nx\n"},
		{"empty body", "A: b\n\n", "A A: b\n", "\n"},
		{"newlines only", "\n\n\n", "", "\n\n\n"},
		{"text", "hello there\nyou", "", "\nhello there\nyou\n"},
		{"text behind a field", "A: b\nhello\nC: d\n", "A A: b\n", "\nhello\nC: d\n"},
		{"space before the first field", " A: b\n", "", "\n A: b\n"},
		{"space before the colon", "A \t: b\n", "A A \t: b\n", ""},
		{"space within the name", "A b: c\n", "", "\nA b: c\n"},
		{"no name", ": c\n", "", "\n: c\n"},
		{"space for a name", "A: b\n \t: c\n", "A A: b\n \t: c\n", ""},
		{"8-bit name", "\xe9: c\n", "", "\n\xe9: c\n"},
		{"DEL in the name", "a\x7f: c\n", "", "\na\x7f: c\n"},
		{"NUL in the name", "a\x00: c\n", "", "\na\x00: c\n"},
		{"no contents", "A:\n\n", "A A:\n", "\n"},
		{"CRLF", "A: b\r\n\r\nx\r\n", "A A: b\r\n", "\n\r\nx\r\n"},
		{"mbox", "From joe Mon\nA: b\n", "MBOX-Line MBOX-Line: From joe Mon\n;A A: b\n", ""},
		{"mbox line in the middle, folded", "A: b\nFrom joe\n Mon\n", "A A: b\n;MBOX-Line MBOX-Line: From joe\n Mon\n", ""},
		{"mbox line with a colon", "From : joe\n", "MBOX-Line MBOX-Line: From : joe\n", ""},
		{"no mbox line", "From\tjoe\n", "", "\nFrom\tjoe\n"},
		{"body is not touched", "A: b\n\nTo: c\n\x00\xff\n\n", "A A: b\n", "\nTo: c\n\x00\xff\n\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(c.message), iotest.OneByteReader(strings.NewReader(c.message))} {
				if fields, body := read(t, r); strings.Join(fields, ";") != c.fields || body != c.body {
					t.Errorf("%q, %q", fields, body)
				}
			}
		})
	}
}

// TestLength: fields and lines of any length pass; only names have a limit. The
// lengths are those around the size of a piece.
func TestLength(t *testing.T) {
	for _, n := range []int{MaxName - 3, MaxName - 2, MaxName - 1, MaxName, MaxName + 1, 3 * MaxName} {
		x := strings.Repeat("x", n)
		for _, c := range []struct{ name, message, fields, body string }{
			{"contents", "A: " + x + "\nB: c\n", "A A: " + x + "\n;B B: c\n", ""},
			{"contents without newline", "A: " + x, "A A: " + x + "\n", ""},
			{"continuation", "A: b\n " + x + "\n c\nB: c\n\n", "A A: b\n " + x + "\n c\n;B B: c\n", "\n"},
			{"first line of the body", "A: b\n" + x + "\ny", "A A: b\n", "\n" + x + "\ny\n"},
			{"body without newline", "A: b\n\n" + x, "A A: b\n", "\n" + x + "\n"},
			{"text without newline", x, "", "\n" + x + "\n"},
		} {
			if fields, body := read(t, strings.NewReader(c.message)); strings.Join(fields, ";") != c.fields || body != c.body {
				t.Errorf("%s of %d bytes: %d fields and %d bytes of body", c.name, n, len(fields), len(body))
			}
		}
	}
	for n, isName := range map[int]bool{MaxName - 1: true, MaxName: false} {
		if fields, _ := read(t, strings.NewReader(strings.Repeat("x", n)+": y\n")); (len(fields) == 1) != isName {
			t.Errorf("name of %d bytes: %d fields", n, len(fields))
		}
	}
}

// TestSkippedFields: a field need not be read.
func TestSkippedFields(t *testing.T) {
	r := NewReader(strings.NewReader("A: b\n c\nB: " + strings.Repeat("d", 2*MaxName) + "\n e\nC: f\n\nbody\n"))
	var names string
	for {
		f, err := r.Next()
		if err == io.EOF {
			break
		}
		names += f.Name
		f.Text.Read(make([]byte, 2))
	}
	if body, _ := io.ReadAll(r.Body()); names != "ABC" || string(body) != "\nbody\n" {
		t.Errorf("%s, %q", names, body)
	}
}

// TestReadError: an error of reading is never taken for the end of a message.
func TestReadError(t *testing.T) {
	broken := errors.New("broken")
	for _, message := range []string{"", "A", "A: b", "A: b\n", "A: b\n c", "A: b\n\n", "A: b\n\nc", "A: b\n\nc\n", "text"} {
		r := NewReader(io.MultiReader(strings.NewReader(message), iotest.ErrReader(broken)))
		var err error
		for err == nil {
			_, err = r.Next()
		}
		if err == io.EOF {
			_, err = io.ReadAll(r.Body())
		}
		if err != broken {
			t.Errorf("%q: %v", message, err)
		}
	}
}

// FuzzReader: nothing of a message is lost, whatever it is.
func FuzzReader(f *testing.F) {
	f.Add("To: a\n b\n\nx")
	f.Add("From x\nA : b\nno field")
	f.Fuzz(func(t *testing.T, message string) {
		fields, body := read(t, iotest.HalfReader(strings.NewReader(message)))
		var all strings.Builder
		for _, f := range fields {
			name, text, _ := strings.Cut(f, " ")
			if !strings.HasPrefix(text, name) || !strings.HasSuffix(text, "\n") {
				t.Errorf("field %q with the name %q", text, name)
			}
			all.WriteString(strings.TrimPrefix(text, mboxName+": "))
		}
		all.WriteString(body)
		want := message
		if want != "" && !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		header := all.Len() - len(body)
		if strings.HasPrefix(message, mboxName+": ") || strings.Contains(message, "\n"+mboxName+": ") {
			return
		}
		if got := all.String(); got != want && got[:header]+strings.TrimPrefix(body, "\n") != want {
			t.Errorf("%q became %q", message, got)
		}
	})
}
