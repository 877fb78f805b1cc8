package qreceipt

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/submit"
)

// queue is a stand-in for qmail-queue in a directory.
func queue(t *testing.T, script string) submit.Queue {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/qq", []byte("#!/bin/sh\ncat >message; cat <&1 >envelope\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return submit.Queue{Home: dir, Program: "./qq"}
}

const (
	ask   = "Notice-Requested-Upon-Delivery-To: "
	begin = "From: DELIVERY NOTICE SYSTEM <s@x>\nTo: <s@x>\nSubject: success notice\n\nHi! This is the qreceipt program. Your message was delivered to the\nfollowing address: joe@h. Thanks for asking.\n"
)

func TestAnswer(t *testing.T) {
	for _, c := range []struct{ name, sender, message, want string }{
		{"asked", "s@x", ask + "joe@h\n\n", begin},
		{"with a Message-ID", "s@x", "Message-ID: <1@2>\n" + ask + "joe@h\n\n", begin + "Your Message-ID: <1@2>\n"},
		{"Message-ID behind", "s@x", ask + "joe@h\nmessage-id :\n <1@2>", begin + "Your message-id :\n <1@2>\n"},
		{"list", "s@x", ask + "a@b, Joe Q. <joe@h>, c@d (joe@h)\n\n", begin},
		{"folded and commented", "s@x", ask + "joe (me)\n @ (here) h\n\n", begin},
		{"group", "s@x", ask + "us: a@b, joe@h;\n\n", begin},
		{"quoted", "s@x", ask + "\"joe\"@h\n\n", begin},
		{"two fields", "s@x", ask + "joe@h\n" + ask + "a@b\n\n", begin},
		{"not asked", "s@x", "Subject: joe@h\n\n", ""},
		{"another", "s@x", ask + "jim@h\n\n", ""},
		{"another case", "s@x", ask + "JOE@h\n\n", ""},
		{"in a comment", "s@x", ask + "a@b (joe@h)\n\n", ""},
		{"in the body", "s@x", "\n" + ask + "joe@h\n", ""},
		{"empty field", "s@x", ask + "\n\n", ""},
		{"bounce", "", ask + "joe@h\n\n", ""},
		{"double bounce", "#@[]", ask + "joe@h\n\n", ""},
		{"empty message", "s@x", "", ""},
		{"sender with a newline", "s\nBcc: y@x", ask + "joe@h\n\n", strings.ReplaceAll(begin, "s@x", "\"s\\_Bcc: y\"@x")},
		{"endless Message-ID", "s@x", "Message-ID: " + strings.Repeat("x", 2*maxField) + "\n" + ask + "joe@h\n\n", begin},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := queue(t, "")
			r := Receipt{Target: "joe@h", Sender: c.sender, Queue: q}
			if err := r.Answer(strings.NewReader(c.message)); err != nil {
				t.Fatal(err)
			}
			message, _ := os.ReadFile(q.Home + "/message")
			envelope, _ := os.ReadFile(q.Home + "/envelope")
			wantEnvelope := ""
			if c.want != "" {
				wantEnvelope = "F\x00T" + c.sender + "\x00\x00"
			}
			if string(message) != c.want || string(envelope) != wantEnvelope {
				t.Errorf("%q %q, want %q", message, envelope, c.want)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	asked := strings.NewReader
	for _, c := range []struct {
		name    string
		message io.Reader
		script  string
		err     string
		outcome outcome.Outcome
	}{
		{"refused", asked(ask + "joe@h\n"), "exit 31", "permanent qmail-queue error", outcome.Failure},
		{"full", asked(ask + "joe@h\n"), "exit 53", "temporary qmail-queue error", outcome.Deferral},
		{"broken message", io.MultiReader(asked(ask+"joe@h\n"), iotest.ErrReader(errors.New("broken"))), "", "read error", outcome.Deferral},
		{"no list", asked(ask + ")joe@h\n"), "", "unable to parse this: " + ask + ")joe@h\n", outcome.Failure},
		{"no end of a string", asked(ask + "\"joe@h\n"), "", "unable to parse this: " + ask + "\"joe@h\n", outcome.Failure},
		{"long list", asked(ask + strings.Repeat("a@b,", maxField)), "", "unable to parse this: " + (ask + strings.Repeat("a@b,", maxField))[:maxField+1], outcome.Failure},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Receipt{Target: "joe@h", Sender: "s@x", Queue: queue(t, c.script)}.Answer(c.message)
			if fmt.Sprint(err) != c.err || outcome.Of(err) != c.outcome {
				t.Errorf("%.200v", err)
			}
		})
	}
}

func FuzzNotice(f *testing.F) {
	f.Add("joe@h", "s\n\n@x")
	f.Fuzz(func(t *testing.T, target, sender string) {
		text := Receipt{Target: target, Sender: sender}.notice("")
		if strings.Count(text, "\n") != 6 {
			t.Errorf("%q", text)
		}
	})
}

func FuzzHas(f *testing.F) {
	f.Add([]byte(ask+"a@b, Joe <joe@h>\n"), "joe@h")
	f.Fuzz(func(t *testing.T, field []byte, target string) {
		has(field, target)
	})
}
