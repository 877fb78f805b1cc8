package condition

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/submit"
)

const message = "Subject: hi\n\nbody\n"

// descriptors are those of a delivery: the message, and a file for what the
// program says.
func descriptors(t *testing.T) []*os.File {
	t.Helper()
	path := t.TempDir() + "/message"
	if err := os.WriteFile(path, []byte(message), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return []*os.File{f, os.Stdout, os.Stderr}
}

func sh(script string) []string { return []string{"sh", "-c", script} }

// answers are what programs can say.
var answers = []struct {
	name    string
	program []string
	yes     bool
	err     string
}{
	{"yes", sh("exit 0"), true, ""},
	{"no", sh("exit 1"), false, ""},
	{"no by 100", sh("exit 100"), false, ""},
	{"no by 99", sh("exit 99"), false, ""},
	{"no by 255", sh("exit 255"), false, ""},
	{"cannot tell", sh("exit 111"), false, "temporary child error"},
	{"crash", sh("kill -9 $$"), false, "child crashed"},
	{"abort", sh("kill -ABRT $$"), false, "child crashed"},
	{"missing", []string{"/nonexistent"}, false, ""},
	{"missing in PATH", []string{"no-such-program"}, false, ""},
	{"empty name", []string{""}, false, ""},
	{"directory", []string{"/"}, false, ""},
	{"reads the message", sh("grep -q '^Subject: hi$'"), true, ""},
	{"gets its arguments", append(sh(`test "$1" = "a b"`), "x", "a b"), true, ""},
}

func TestAsk(t *testing.T) {
	for _, c := range answers {
		yes, err := ask(descriptors(t), c.program)
		if yes != c.yes || fmt.Sprint(err) != orNil(c.err) || outcome.Of(err) == outcome.Failure {
			t.Errorf("%s: %v %v", c.name, yes, err)
		}
	}
}

func orNil(text string) string {
	if text == "" {
		return "<nil>"
	}
	return text
}

func TestBouncesaying(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int // of a Status, or -1
		text string
	}{
		{nil, -1, "usage: bouncesaying error [ program [ arg ... ] ]"},
		{[]string{"Go away."}, 100, "Go away.\n"},
		{[]string{""}, 100, "\n"},
		{append([]string{"Go away."}, sh("exit 0")...), 100, "Go away.\n"},
		{append([]string{"Go away."}, sh("exit 1")...), -1, "<nil>"},
		{append([]string{"Go away."}, sh("exit 111")...), -1, "temporary child error"},
	} {
		err := Bouncesaying(descriptors(t), c.args)
		check(t, c.args, err, c.code, c.text)
	}
}

func TestExcept(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		text string
	}{
		{nil, -1, "usage: except program [ arg ... ]"},
		{sh("exit 0"), 100, ""},
		{sh("exit 1"), -1, "<nil>"},
		{sh("exit 111"), -1, "temporary child error"},
		{[]string{"/nonexistent"}, -1, "<nil>"},
	} {
		check(t, c.args, Except(descriptors(t), c.args), c.code, c.text)
	}
}

func check(t *testing.T, args []string, err error, code int, text string) {
	t.Helper()
	var status *outcome.Status
	got := -1
	if errors.As(err, &status) {
		got = status.Code
	}
	if got != code || fmt.Sprint(err) != text {
		t.Errorf("%q: %d %v, want %d %q", args, got, err, code, text)
	}
}

func TestCondredirect(t *testing.T) {
	env := func(name string) (string, bool) { return name + "\n", true }
	for _, c := range []struct {
		name   string
		args   []string
		queued bool
		err    string
	}{
		{"yes", append([]string{"new@y"}, sh("exit 0")...), true, ""},
		{"has read the message", append([]string{"new@y"}, sh("cat >/dev/null")...), true, ""},
		{"no", append([]string{"new@y"}, sh("exit 1")...), false, ""},
		{"cannot tell", append([]string{"new@y"}, sh("exit 111")...), false, "temporary child error"},
		{"no program", []string{"new@y"}, false, "usage: condredirect newaddress program [ arg ... ]"},
		{"nothing", nil, false, "usage: condredirect newaddress program [ arg ... ]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(dir+"/qq", []byte("#!/bin/sh\ncat >message; cat <&1 >envelope\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			qp, err := Condredirect(env, submit.Queue{Home: dir, Program: "./qq"}, descriptors(t), c.args)
			if (qp != 0) != c.queued || fmt.Sprint(err) != orNil(c.err) {
				t.Errorf("%d %v", qp, err)
			}
			envelope, _ := os.ReadFile(dir + "/envelope")
			text, _ := os.ReadFile(dir + "/message")
			if c.queued && (string(envelope) != "FSENDER\n\x00Tnew@y\x00\x00" || string(text) != "DTLINE\n"+message) || !c.queued && len(envelope) != 0 {
				t.Errorf("%q %q", envelope, text)
			}
		})
	}
}

// TestCondredirectPipe: a message that cannot be read twice stays here.
func TestCondredirectPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w.Close()
	_, err = Condredirect(os.LookupEnv, submit.Queue{Home: "/", Program: "/nonexistent"}, []*os.File{r}, append([]string{"a@b"}, sh("exit 0")...))
	if err == nil || !strings.HasPrefix(err.Error(), "unable to rewind: ") || outcome.Of(err) != outcome.Deferral {
		t.Errorf("%v", err)
	}
}
