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

// nothing is what a program finds on its descriptors besides the message.
var nothing = make([]*os.File, 3)

// keeper is a program that keeps what it reads in a file.
func keeper(t *testing.T) (program []string, kept func() string) {
	path := t.TempDir() + "/kept"
	return []string{"sh", "-c", "cat >" + path}, func() string {
		text, _ := os.ReadFile(path)
		return string(text)
	}
}

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", -5*3600-1800))

func TestPredate(t *testing.T) {
	program, kept := keeper(t)
	if err := Predate(now, nothing, program, strings.NewReader("Subject: x\n\nbody")); err != nil {
		t.Error(err)
	}
	if got := kept(); got != "Date: 2 Jan 2026 03:04:05 -0530\nSubject: x\n\nbody" {
		t.Errorf("%q", got)
	}
	for script, code := range map[string]int{"exit 37": 37, "cat >/dev/null; exit 100": 100} {
		var status *outcome.Status
		if err := Predate(now, nothing, []string{"sh", "-c", script}, strings.NewReader("")); !errors.As(err, &status) || status.Code != code || status.Text != "" {
			t.Errorf("%s: %v", script, err)
		}
	}
	if err := Predate(now, nothing, nil, nil); err != usagePredate {
		t.Error(err)
	}
	if err := Predate(now, nothing, []string{"/nonexistent"}, nil); !child.Missing(err) || outcome.Of(err) != outcome.Deferral {
		t.Error(err)
	}
	if err := Predate(now, nothing, program, iotest.ErrReader(errors.New("broken"))); !errors.Is(err, child.ErrInput) {
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
		program, kept := keeper(t)
		if err := Mailsubj(nothing, program, c.args, strings.NewReader("body\n")); err != nil {
			t.Error(err)
		}
		if got := kept(); got != c.want {
			t.Errorf("%q: %q", c.args, got)
		}
	}
	if err := Mailsubj(nil, nil, nil, nil); err != usageMailsubj {
		t.Error(err)
	}
}
