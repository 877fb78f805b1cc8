package forward

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/submit"
)

// queue is a stand-in for qmail-queue in a directory, which puts the message and
// the envelope into files there; then the script goes on.
func queue(t *testing.T, script string) submit.Queue {
	t.Helper()
	dir := t.TempDir()
	text := "#!/bin/sh\ncat >message; cat <&1 >envelope\n" + script + "\n"
	if err := os.WriteFile(dir+"/qq", []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return submit.Queue{Home: dir, Program: "./qq"}
}

func environment(variables string) Environment {
	return func(name string) (string, bool) {
		for _, v := range strings.Fields(variables) {
			if n, value, _ := strings.Cut(v, "="); n == name {
				return strings.ReplaceAll(value, "|", "\n"), true
			}
		}
		return "", false
	}
}

func forwardToTwo(env Environment, q submit.Queue, message io.Reader) (int, error) {
	return Forward(env, q, message, []string{"a@b", "c d <e>"})
}

func redirect(env Environment, q submit.Queue, message io.Reader) (int, error) {
	return Redirect(env, q, message, "a@b")
}

const all = "SENDER=s@x NEWSENDER=n@x DTLINE=D:d|"

func TestForward(t *testing.T) {
	for _, c := range []struct {
		name     string
		forward  func(Environment, submit.Queue, io.Reader) (int, error)
		env      string
		script   string
		envelope string // NUL bytes as spaces
		err      string
		outcome  outcome.Outcome
	}{
		{"forward", forwardToTwo, all, "", "Fn@x Ta@b Tc d <e>  ", "", outcome.Success},
		{"bounce", forwardToTwo, "NEWSENDER= DTLINE=D:d|", "", "F Ta@b Tc d <e>  ", "", outcome.Success},
		{"redirect", redirect, all, "", "Fs@x Ta@b  ", "", outcome.Success},
		{"no NEWSENDER", forwardToTwo, "SENDER=s DTLINE=d", "", "", "NEWSENDER not set", outcome.Failure},
		{"no SENDER", redirect, "NEWSENDER=s DTLINE=d", "", "", "SENDER not set", outcome.Failure},
		{"no DTLINE", forwardToTwo, "NEWSENDER=s", "", "", "DTLINE not set", outcome.Failure},
		{"no DTLINE to redirect", redirect, "SENDER=s", "", "", "DTLINE not set", outcome.Failure},
		{"full disk", forwardToTwo, all, "exit 53", "Fn@x Ta@b Tc d <e>  ", "qq write error or disk full (#4.3.0)", outcome.Deferral},
		{"refused", redirect, all, "exit 31", "Fs@x Ta@b  ", "mail server permanently rejected message (#5.3.0)", outcome.Failure},
		{"crash", redirect, all, "kill -9 $$", "Fs@x Ta@b  ", "qq crashed (#4.3.0)", outcome.Deferral},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := queue(t, c.script)
			qp, err := c.forward(environment(c.env), q, strings.NewReader("\nbody"))
			text := ""
			if err != nil {
				text = err.Error()
			}
			if text != c.err || outcome.Of(err) != c.outcome || err == nil && qp == 0 {
				t.Errorf("%d %v (%v), want %q", qp, err, outcome.Of(err), c.err)
			}
			envelope, _ := os.ReadFile(q.Home + "/envelope")
			if got := strings.ReplaceAll(string(envelope), "\x00", " "); got != c.envelope {
				t.Errorf("envelope %q, want %q", got, c.envelope)
			}
			if message, _ := os.ReadFile(q.Home + "/message"); c.envelope != "" && string(message) != "D:d\n\nbody" {
				t.Errorf("message %q", message)
			}
		})
	}
}

// TestBrokenMessage: a message that cannot be read to its end is not queued.
func TestBrokenMessage(t *testing.T) {
	q := queue(t, "")
	message := io.MultiReader(strings.NewReader("\nbo"), iotest.ErrReader(errors.New("broken")))
	_, err := forwardToTwo(environment(all), q, message)
	if err == nil || err.Error() != "unable to read message: broken" || outcome.Of(err) != outcome.Deferral {
		t.Errorf("%v", err)
	}
	if envelope, _ := os.ReadFile(q.Home + "/envelope"); strings.HasSuffix(string(envelope), "\x00\x00") {
		t.Errorf("envelope %q", envelope)
	}
}
