package prepend

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"goqmail/internal/host/child"
	"goqmail/internal/mail/outcome"
)

// inherited is what a program finds on its descriptors, and what it has printed.
func inherited(t *testing.T) (files []*os.File, printed func() string) {
	t.Helper()
	out, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	return []*os.File{nil, out, out}, func() string {
		text, _ := os.ReadFile(out.Name())
		return string(text)
	}
}

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", -5*3600-1800))

func TestPredate(t *testing.T) {
	files, printed := inherited(t)
	if err := Predate(now, files, []string{"cat"}, strings.NewReader("Subject: x\n\nbody")); err != nil {
		t.Error(err)
	}
	if got := printed(); got != "Date: 2 Jan 2026 03:04:05 -0530\nSubject: x\n\nbody" {
		t.Errorf("%q", got)
	}
	for script, code := range map[string]int{"exit 37": 37, "cat; exit 100": 100} {
		var status *outcome.Status
		if err := Predate(now, files, []string{"sh", "-c", script}, strings.NewReader("")); !errors.As(err, &status) || status.Code != code || status.Text != "" {
			t.Errorf("%s: %v", script, err)
		}
	}
	if err := Predate(now, files, nil, nil); err != usagePredate {
		t.Error(err)
	}
	if err := Predate(now, files, []string{"/nonexistent"}, nil); !child.Missing(err) || outcome.Of(err) != outcome.Deferral {
		t.Error(err)
	}
	if err := Predate(now, files, []string{"cat"}, iotest.ErrReader(errors.New("broken"))); !errors.Is(err, child.ErrInput) {
		t.Error(err)
	}
}

func TestMailsubj(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"hello there", "a", "b@h"}, "Subject: hello there\nTo: a b@h\n\nbody\n"},
		{[]string{""}, "Subject: \nTo: \n\nbody\n"},
		{[]string{"a\nBcc: b", "c\nd"}, "Subject: a Bcc: b\nTo: c d\n\nbody\n"},
		{[]string{`\n -n`, "-x"}, "Subject: \\n -n\nTo: -x\n\nbody\n"},
	} {
		files, printed := inherited(t)
		if err := Mailsubj(files, []string{"cat"}, c.args, strings.NewReader("body\n")); err != nil {
			t.Error(err)
		}
		if got := printed(); got != c.want {
			t.Errorf("%q: %q", c.args, got)
		}
	}
	if err := Mailsubj(nil, nil, nil, nil); err != usageMailsubj {
		t.Error(err)
	}
}
