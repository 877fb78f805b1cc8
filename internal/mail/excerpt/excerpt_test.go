package excerpt

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"goqmail/internal/mail/header"
)

var messages = []struct{ name, message, want string }{
	{"usual", "Subject: Lunch?\nTo: joe\n\nAt noon?\n", "Lunch?\n\nAt noon?\n"},
	{"folded", "SUBJECT :\n \t a\n b\n\n", "a\n b\n\n"},
	{"two", "Subject: a\nSubject: b\n\nc", "a\nb\n\nc\n"},
	{"none", "To: joe\n\nc", "\nc\n"},
	{"nothing but white space", "Subject: \r\n\t\n\nc", "\nc\n"},
	{"no body", "Subject: a", "a\n"},
	{"no header", "hi there\nx", "\nhi there\nx\n"},
	{"empty", "", ""},
	{"long", "Subject: " + strings.Repeat("x", 100000), strings.Repeat("x", 50)},
	{"long white space", "Subject: " + strings.Repeat(" ", 100000) + "x\n", "x\n"},
}

func TestOf(t *testing.T) {
	for _, c := range messages {
		for _, message := range []io.Reader{strings.NewReader(c.message), iotest.OneByteReader(strings.NewReader(c.message))} {
			if got, err := Of(message, 50, nil); got != c.want || err != nil {
				t.Errorf("%s: %q %v, want %q", c.name, got, err, c.want)
			}
		}
	}
}

func TestOfSees(t *testing.T) {
	var seen []string
	got, err := Of(strings.NewReader("A: b\nSubject: c\nD:\n e\n\nf"), 50, func(f header.Field) {
		contents, _ := io.ReadAll(Contents(f))
		seen = append(seen, f.Name+"="+string(contents))
	})
	if got != "c\n\nf\n" || err != nil || strings.Join(seen, "|") != "A=b\n|D=e\n" {
		t.Errorf("%q %v %q", got, err, seen)
	}
}

func TestOfBroken(t *testing.T) {
	broken := errors.New("broken")
	for _, begin := range []string{"", "Subject: a", "Subject: a\n", "Subject: a\n\nb"} {
		got, err := Of(io.MultiReader(strings.NewReader(begin), iotest.ErrReader(broken)), 50, nil)
		if err != broken || !strings.HasPrefix("a\n\nb", got) {
			t.Errorf("%q: %q %v", begin, got, err)
		}
	}
}

func TestPrintable(t *testing.T) {
	if got := Printable(" ~\x1b\x7f\n\xc3\xa4\x00", '/'); got != " ~//////" {
		t.Errorf("%q", got)
	}
}

func FuzzOf(f *testing.F) {
	for _, c := range messages {
		f.Add(c.message, 50)
	}
	f.Fuzz(func(t *testing.T, message string, size int) {
		size &= 0xfff
		if got, err := Of(strings.NewReader(message), size, nil); len(got) > size || err != nil {
			t.Errorf("%q %v", got, err)
		}
	})
}
