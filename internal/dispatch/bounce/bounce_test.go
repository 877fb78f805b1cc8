package bounce

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestNote(t *testing.T) {
	for _, c := range []struct{ name, recipient, report, want string }{
		{"one line", "joe@x", "No.\n", "<joe@x>:\nNo.\n\n"},
		{"no newline at the end", "joe@x", "No.", "<joe@x>:\nNo.\n\n"},
		{"no report", "joe@x", "", "<joe@x>:\n\n"},
		{"no recipient", "", "No.\n", "<>:\nNo.\n\n"},
		{"newlines in the recipient", "j\no\n\ne@x", "No.\n", "<j_o__e@x>:\nNo.\n\n"},
		{"an empty line", "joe@x", "a\n\nb\n", "<joe@x>:\na\n/b\n\n"},
		{"several empty lines", "joe@x", "a\n\n\n\nb", "<joe@x>:\na\n///b\n\n"},
		{"an empty line first", "joe@x", "\nb\n", "<joe@x>:\n/b\n\n"},
		{"an empty line last", "joe@x", "a\n\n", "<joe@x>:\na\n\n\n"},
		{"two empty lines last", "joe@x", "a\n\n\n", "<joe@x>:\na\n/\n\n"},
		{"nothing but an empty line", "joe@x", "\n", "<joe@x>:\n\n\n"},
		{"any bytes", "\xe9@x", "\r\x00\xff", "<\xe9@x>:\n\r\x00\xff\n\n"},
	} {
		if got := string(Note(c.recipient, c.report)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

var (
	noon   = time.Date(2026, 11, 24, 14, 5, 0, 0, time.UTC)
	office = Office{From: "MAILER-DAEMON", Host: "mx.example", DoubleTo: "postmaster@mx.example"}
)

func TestWrite(t *testing.T) {
	const head = "Date: 24 Nov 2026 14:05:00 -0000\nFrom: MAILER-DAEMON@mx.example\nTo: "
	const hi = "\nSubject: failure notice\n\nHi. This is the qmail-send program at mx.example.\n"
	const afraid = "I'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<joe@x>:\nNo.\n\n--- Below this line is a copy of the message.\n\n"
	for _, c := range []struct {
		name, sender, from, to, want string
		office                       Office
	}{
		{"bounce", "s@x", "", "s@x",
			head + "s@x" + hi + afraid + "Return-Path: <s@x>\nSubject: x\n\nbody", office},
		{"a sender that needs quotes", "a b@x", "", "a b@x",
			head + "\"a b\"@x" + hi + afraid + "Return-Path: <\"a b\"@x>\nSubject: x\n\nbody", office},
		{"a variable return path", "list-@x-@[]", "", "list-@x",
			head + "list-@x" + hi + afraid + "Return-Path: <list-@x>\nSubject: x\n\nbody", office},
		{"double bounce", "", "#@[]", "postmaster@mx.example",
			head + "postmaster@mx.example" + hi + "I tried to deliver a bounce message to this address, but the bounce bounced!\n\n<joe@x>:\nNo.\n\n--- Below this line is the original bounce.\n\nReturn-Path: <>\nSubject: x\n\nbody", office},
		{"names from control files", "s@x", "", "s@x",
			"Date: 24 Nov 2026 14:05:00 -0000\nFrom: \"The Daemon\"@b.example\nTo: s@x\nSubject: failure notice\n\nHi. This is the qmail-send program at b.example.\n" + afraid + "Return-Path: <s@x>\nSubject: x\n\nbody",
			Office{From: "The Daemon", Host: "b.example"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if from, to := c.office.Envelope(c.sender); from != c.from || to != c.to {
				t.Errorf("envelope %q to %q", from, to)
			}
			var b strings.Builder
			err := c.office.Write(&b, c.sender, strings.NewReader("<joe@x>:\nNo.\n\n"), strings.NewReader("Subject: x\n\nbody"), noon)
			if err != nil || b.String() != c.want {
				t.Errorf("%v\n%s\nwant\n%s", err, b.String(), c.want)
			}
		})
	}
}

func TestKindOf(t *testing.T) {
	for sender, want := range map[string]Kind{"s@x": Single, "": Double, "#@[]": Triple, "#@[]-@[]": Single, "@": Single} {
		if got := KindOf(sender); got != want {
			t.Errorf("%q: %d, want %d", sender, got, want)
		}
	}
}

// TestWriteFails: a note or a message that cannot be read makes no bounce.
func TestWriteFails(t *testing.T) {
	broken := iotest.ErrReader(errors.New("bad disk"))
	fine := strings.NewReader("x")
	var b strings.Builder
	if office.Write(&b, "s@x", broken, fine, noon) == nil || office.Write(&b, "s@x", fine, broken, noon) == nil {
		t.Error("success")
	}
}

// FuzzNote: whatever a report says, it cannot end its paragraph early.
func FuzzNote(f *testing.F) {
	f.Add("joe@x", "No.\n\n--- Below this line is a copy of the message.\n")
	f.Add("a\n\n<b", "\n\n\n")
	f.Fuzz(func(t *testing.T, recipient, report string) {
		note := string(Note(recipient, report))
		paragraph, rest, ended := strings.Cut(note, "\n\n")
		if !ended || !strings.HasPrefix(note, "<") || strings.Count(paragraph, "\n") < 1 && report != "" && report != "\n" {
			t.Errorf("%q", note)
		}
		if strings.Trim(rest, "\n") != "" {
			t.Errorf("%q ends early", note)
		}
	})
}
