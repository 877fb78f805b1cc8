package inject

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"goqmail/internal/accept/accepttest"
	"goqmail/internal/host/control"
	"goqmail/internal/mail/address"
	"goqmail/internal/mail/header"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/submit"
)

// now is when all messages of the tests are injected.
var now = time.Date(2026, 11, 4, 14, 5, 9, 0, time.FixedZone("", 3600))

// A call is one of qmail-inject: its environment, its arguments and its message.
type call struct {
	env  []string // joe's, where it is nil
	args []string
	text io.Reader
}

// environment makes one of NAME=VALUE.
func environment(env []string) Environment {
	return func(name string) (string, bool) {
		for _, v := range env {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}
}

// newHome makes a home with easily recognised names in control.
func newHome(t testing.TB) string {
	t.Helper()
	home := t.TempDir()
	must(t, os.Mkdir(home+"/control", 0o755))
	for file, line := range map[string]string{"defaulthost": "dh.example", "defaultdomain": "dd.example", "plusdomain": "plus.example", "idhost": "id.example"} {
		must(t, os.WriteFile(home+"/control/"+file, []byte(line+"\n"), 0o644))
	}
	return home
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run makes a call in a home; what it prints comes back.
func run(t testing.TB, home string, q submit.Queue, c call) (printed string, err error) {
	t.Helper()
	if c.env == nil {
		c.env = []string{"USER=joe"}
	}
	settings, err := ReadSettings(control.In(home), environment(c.env))
	if err != nil {
		return "", err
	}
	args, err := ParseArgs(c.args)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	err = Inject(Config{Settings: settings, Queue: q, Output: &b, Tmp: t.TempDir(), Now: now, PID: 77}, args, c.text)
	return b.String(), err
}

// printed returns the message that a call makes.
func printed(t testing.TB, home string, env []string, text string, args ...string) string {
	t.Helper()
	got, err := run(t, home, submit.Queue{}, call{env, append([]string{"-n"}, args...), strings.NewReader(text)})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

const newFields = "Date: 4 Nov 2026 13:05:09 -0000\nMessage-ID: <20261104130509.77.qmail@id.example>\nFrom: joe@dh.example\n"

// TestHeader: what becomes of a header.
func TestHeader(t *testing.T) {
	home := newHome(t)
	const (
		rp  = "Return-Path: <joe@dh.example>\n"
		cc  = "Cc: recipient list not shown: ;\n"
		all = "Date: d\nMessage-ID: i\nFrom: f@x.y\nTo: t@x.y\n"
	)
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", rp + newFields + cc},
		{"body only", "\nbody", rp + newFields + cc + "\nbody\n"},
		{"text", "hello there\n", rp + newFields + cc + "\nhello there\n"},
		{"all there", all, rp + all},
		{"any case", "DATE: d\nmessage-id: i\nfrOM: f@x.y\ncC: t\n", rp + "DATE: d\nmessage-id: i\nfrOM: f@x.y\ncC: t@dh.example\n"},
		{"lists are completed", all + "Reply-To: r\nSender: s\nErrors-To: e\nReturn-Receipt-To: rr\nApparently-To: a\n",
			rp + all + "Reply-To: r@dh.example\nSender: s@dh.example\nErrors-To: e@dh.example\nReturn-Receipt-To: rr@dh.example\nApparently-To: a@dh.example\n"},
		{"other fields are not touched", all + "Subject:  a,  b \n\tc\nX-To: a,b\nNotice-Requested-Upon-Delivery-To: a,b\nMail-Followup-To: a,b\nDelivered-To: a\n",
			rp + all + "Subject:  a,  b \n\tc\nX-To: a,b\nNotice-Requested-Upon-Delivery-To: a,b\nMail-Followup-To: a,b\nDelivered-To: a\n"},
		{"Bcc and Content-Length go", all + "Bcc: b\nContent-Length: 7\nResent: no\n", rp + all + "Resent: no\n"},
		{"Bcc alone", "Bcc: b\n", rp + newFields + cc},
		{"Return-Path", all + "Return-Path: (c) <r@h>\n", "Return-Path: <r@h.dd.example>\n" + all},
		{"Return-Path, twice", all + "Return-Path: <a>, b\nReturn-Path: c\n", "Return-Path: <b@dh.example>\n" + all},
		{"empty Return-Path", all + "Return-Path: <>\n", "Return-Path: <>\n" + all},
		{"Return-Path without an address", all + "Return-Path:\n", rp + all},
		{"Return-Path that needs quotes", all + "Return-Path: \"a b\"@c.d\n", "Return-Path: <\"a b\"@c.d>\n" + all},
		{"folded", "To: a,\n b\n", rp + newFields + "To: a@dh.example, b@dh.example\n"},
		{"folded within words", "To: \"a\n b\"@c.d (e\n\tf)\n", rp + newFields + "To: \"a b\"@c.d (e\tf)\n"},
		{"backslash at the end of a line", "To: a\\\n", rp + newFields + "To: a@dh.example\n"},
		{"space before the colon", "To \t: a\n", rp + newFields + "To: a@dh.example\n"},
		{"CRLF", "To: a\r\nSubject: s\r\n\r\nbody\r\n", rp + newFields + "To: a@dh.example\nSubject: s\r\n\n\r\nbody\r\n"},
		{"mbox line", "From joe Mon\nTo: a\n", rp + newFields + "MBOX-Line: From joe Mon\nTo: a@dh.example\n"},
		{"recipients that cannot be read stay", "To: a (\nCc: b>, c\nBcc: d: e\nX: y\n", rp + newFields + "To: a (\nCc: b>, c\nX: y\n"},
		{"forwarded", "Resent-To: a\nTo: b c\n", rp +
			"Resent-Date: 4 Nov 2026 13:05:09 -0000\nResent-Message-ID: <20261104130509.77.qmail@id.example>\nResent-From: joe@dh.example\n" +
			"Resent-To: a@dh.example\nTo: b@dh.example, c@dh.example\n"},
		{"forwarded, complete", "Resent-Date: d\nResent-Message-ID: i\nResent-From: f\nResent-Cc: c\nResent-Bcc: b\nResent-Sender: s\nResent-Reply-To: r\n", rp +
			"Resent-Date: d\nResent-Message-ID: i\nResent-From: f@dh.example\nResent-Cc: c@dh.example\nResent-Sender: s@dh.example\nResent-Reply-To: r@dh.example\n"},
		{"forwarded to nobody that is told", "Resent-Date: d\nResent-Message-ID: i\nResent-From: f\nResent-Bcc: b\n", rp +
			"Resent-Cc: recipient list not shown: ;\nResent-Date: d\nResent-Message-ID: i\nResent-From: f@dh.example\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := printed(t, home, nil, c.text); got != c.want {
				t.Errorf("%q,\nwant %q", got, c.want)
			}
		})
	}
}

// TestPersons: who sends, by environment.
func TestPersons(t *testing.T) {
	home := newHome(t)
	for _, c := range []struct{ name, env, sender, from string }{
		{"nobody", "", "anonymous@dh.example", "anonymous@dh.example"},
		{"LOGNAME", "LOGNAME=l", "l@dh.example", "l@dh.example"},
		{"USER", "LOGNAME=l|USER=u", "u@dh.example", "u@dh.example"},
		{"MAILUSER", "USER=u|MAILUSER=m", "m@dh.example", "m@dh.example"},
		{"QMAILUSER", "MAILUSER=m|QMAILUSER=q", "q@dh.example", "q@dh.example"},
		{"empty QMAILUSER", "USER=u|QMAILUSER=", `""@dh.example`, `""@dh.example`},
		{"QMAILSUSER", "USER=u|QMAILSUSER=s", "s@dh.example", "u@dh.example"},
		{"MAILHOST", "USER=u|MAILHOST=h", "u@h.dd.example", "u@h.dd.example"},
		{"QMAILHOST", "USER=u|MAILHOST=h|QMAILHOST=q+", "u@q.plus.example", "u@q.plus.example"},
		{"QMAILSHOST", "USER=u|QMAILHOST=h|QMAILSHOST=s", "u@s.dd.example", "u@h.dd.example"},
		{"literal host", "USER=u|MAILHOST=[1.2.3.4]", "u@[1.2.3.4]", "u@[1.2.3.4]"},
		{"user that needs quotes", "USER=a b", `"a b"@dh.example`, `"a b"@dh.example`},
		{"user with an at", "USER=a@b", `"a@b"@dh.example`, `"a@b"@dh.example`},
		{"user with a line break", "USER=a\nBcc: b", `"a Bcc: b"@dh.example`, `"a Bcc: b"@dh.example`},
		{"host with a comment", "USER=u|MAILHOST=h(", `u@h(.dd.example`, `u@"h\(".dd.example`},
		{"NAME", "USER=u|NAME=U Ser", "u@dh.example", `"U Ser" <u@dh.example>`},
		{"MAILNAME", "USER=u|NAME=n|MAILNAME=m", "u@dh.example", `"m" <u@dh.example>`},
		{"QMAILNAME", "USER=u|MAILNAME=n|QMAILNAME=q", "u@dh.example", `"q" <u@dh.example>`},
		{"empty NAME", "USER=u|NAME=", "u@dh.example", `"" <u@dh.example>`},
		{"NAME to escape", `USER=u|NAME=a "b" \`, "u@dh.example", `"a \"b\" \\" <u@dh.example>`},
		{"NAME with a line break", "USER=u|NAME=a\nBcc: b", "u@dh.example", `"a Bcc: b" <u@dh.example>`},
		{"c", "USER=u|NAME=U (S)|QMAILINJECT=c", "u@dh.example", `u@dh.example (U \(S\))`},
		{"c without a name", "USER=u|QMAILINJECT=c", "u@dh.example", "u@dh.example"},
		{"r", "USER=u|QMAILINJECT=r", `"u-@dh.example-"@[]`, "u@dh.example"},
		{"m", "USER=u|QMAILINJECT=m", "u-1793797509.77@dh.example", "u@dh.example"},
		{"rm", "USER=u|QMAILINJECT=rm", `"u-1793797509.77-@dh.example-"@[]`, "u@dh.example"},
		{"unknown letters", "USER=u|QMAILINJECT=xyzr", `"u-@dh.example-"@[]`, "u@dh.example"},
		{"QMAILDEFAULTHOST", "USER=u|QMAILDEFAULTHOST=e", "u@e.dd.example", "u@e.dd.example"},
		{"QMAILDEFAULTDOMAIN", "USER=u|QMAILHOST=h|QMAILDEFAULTDOMAIN=e.f", "u@h.e.f", "u@h.e.f"},
		{"QMAILPLUSDOMAIN", "USER=u|QMAILHOST=h+|QMAILPLUSDOMAIN=e.f", "u@h.e.f", "u@h.e.f"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := "Return-Path: <" + c.sender + ">\nFrom: " + c.from + "\nDate: d\nMessage-ID: i\nTo: t@x.y\n"
			if got := printed(t, home, strings.Split(c.env, "|"), "Date: d\nMessage-ID: i\nTo: t@x.y\n"); got != want {
				t.Errorf("%q,\nwant %q", got, want)
			}
		})
	}
	if got := printed(t, home, []string{"QMAILIDHOST=e.f"}, ""); !strings.Contains(got, ".qmail@e.f>\n") {
		t.Errorf("QMAILIDHOST: %q", got)
	}
}

// TestIgnoredFields: the letters of QMAILINJECT that make qmail-inject blind.
func TestIgnoredFields(t *testing.T) {
	home := newHome(t)
	const text = "Return-Path: <r@x.y>\nFrom: f@x.y\nMessage-ID: i\nDate: d\nTo: t@x.y\n"
	for letters, want := range map[string]string{
		"":    "Return-Path: <r@x.y>\nFrom: f@x.y\nMessage-ID: i\nDate: d\nTo: t@x.y\n",
		"s":   "Return-Path: <joe@dh.example>\nFrom: f@x.y\nMessage-ID: i\nDate: d\nTo: t@x.y\n",
		"f":   "Return-Path: <r@x.y>\nFrom: joe@dh.example\nMessage-ID: i\nDate: d\nTo: t@x.y\n",
		"i":   "Return-Path: <r@x.y>\nMessage-ID: <20261104130509.77.qmail@id.example>\nFrom: f@x.y\nDate: d\nTo: t@x.y\n",
		"sfi": "Return-Path: <joe@dh.example>\nMessage-ID: <20261104130509.77.qmail@id.example>\nFrom: joe@dh.example\nDate: d\nTo: t@x.y\n",
		"r":   "Return-Path: <\"r@x.y-\"@[]>\nFrom: f@x.y\nMessage-ID: i\nDate: d\nTo: t@x.y\n",
	} {
		if got := printed(t, home, []string{"USER=joe", "QMAILINJECT=" + letters}, text); got != want {
			t.Errorf("%s: %q,\nwant %q", letters, got, want)
		}
	}
	// what is ignored need not be readable
	printed(t, home, []string{"QMAILINJECT=sf"}, "Return-Path: (\nFrom: (\n")
}

// TestEnvelope: sender and recipients, by arguments and header.
func TestEnvelope(t *testing.T) {
	home := newHome(t)
	const text = "To: a, b\nCc: c\nBcc: d\nApparently-To: e\n\nbody\n"
	const ofHeader = "b@dh.example a@dh.example c@dh.example d@dh.example e@dh.example"
	for _, c := range []struct{ name, args, text, envelope string }{
		{"header", "", text, ofHeader},
		{"arguments", "x y@h", text, "x@dh.example y@h.dd.example"},
		{"-A", "-A", text, ofHeader},
		{"-A with arguments", "-A x", text, "x@dh.example"},
		{"-a", "-a", text, ""},
		{"-a with arguments", "-a x", text, "x@dh.example"},
		{"-h", "-h x", text, ofHeader},
		{"-H", "-H x", text, "x@dh.example " + ofHeader},
		{"the last one counts", "-haH x", text, "x@dh.example " + ofHeader},
		{"-N", "-n -N", text, ofHeader},
		{"--", "-- -x", text, "-x@dh.example"},
		{"forwarded", "", text[:len(text)-6] + "Resent-Cc: r, s\nResent-Bcc: t\n\n", "s@dh.example r@dh.example t@dh.example"},
		{"forwarded, with arguments", "-H x", "To: a\nResent-To: r\n", "x@dh.example r@dh.example"},
		{"forwarded, arguments only", "-a x", "To: a\nResent-To: r\n", "x@dh.example"},
		{"nobody", "", "Subject: x\n", ""},
		{"duplicates stay", "", "To: a, a\nBcc: a\n", "a@dh.example a@dh.example a@dh.example"},
		{"behind an error in a field", "", "To: a: b, c\n", "c@dh.example b@dh.example"},
		{"arguments are taken literally", "a,b <c>@d (e)@f [g]", "", "a,b@dh.example <c>@d.dd.example (e)@f.dd.example [g]@dh.example"},
		{"hosts in arguments are completed", "a@b+ a@b.c. a@ a@[1.2.3.4] #@[]", "", "a@b.plus.example a@b.c a@dh.example a@[1.2.3.4] #@[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := accepttest.New(t, 0)
			_, err := run(t, home, submit.Queue{Home: q.Home(), Env: q.Env()}, call{args: strings.Fields(c.args), text: strings.NewReader(c.text)})
			if err != nil {
				t.Fatal(err)
			}
			want := "Fjoe@dh.example\x00"
			for _, r := range strings.Fields(c.envelope) {
				want += "T" + r + "\x00"
			}
			messages := q.Messages()
			if len(messages) != 1 || messages[0].Envelope != want+"\x00" {
				t.Fatalf("%q, want %q", messages, want)
			}
			if strings.Contains(messages[0].Text, "Return-Path:") {
				t.Errorf("text %q", messages[0].Text)
			}
		})
	}
}

// TestSender: -f against the rest.
func TestSender(t *testing.T) {
	home := newHome(t)
	for _, c := range []struct{ given, sender string }{
		{"x@h.example", "x@h.example"},
		{"x@h", "x@h.dd.example"},
		{"x", "x@dh.example"},
		{"", ""},
		{"#@[]", "#@[]"},
		{"l-@h.example-@[]", `"l-@h.example-"@[]`},
		{"a b@h.example", `"a b"@h.example`},
	} {
		for _, env := range []string{"QMAILSUSER=s", "QMAILINJECT=rm"} {
			got := printed(t, home, []string{"USER=u", env}, "Return-Path: <r>\n", "-f", c.given)
			if want := "Return-Path: <" + c.sender + ">\n"; !strings.HasPrefix(got, want) || !strings.Contains(got, "From: u@dh.example\n") || strings.Count(got, "Return-Path") != 1 {
				t.Errorf("-f %s with %s: %q", c.given, env, got)
			}
		}
	}
}

func TestFollowup(t *testing.T) {
	home := newHome(t)
	lists := home + "/lists"
	must(t, os.WriteFile(lists, []byte("# lists\nlist@l.example\nOther@L.Example \n"), 0o644))
	for _, c := range []struct{ name, text, followup string }{
		{"list in To", "To: list@l.example\n", "list@l.example"},
		{"all in To and Cc", "To: a, b\nCc: list@l.example\nBcc: c\n", "list@l.example,\n  a@dh.example,\n  b@dh.example"},
		{"case", "To: OTHER@l.EXAMPLE\n", "OTHER@l.EXAMPLE"},
		{"quotes", "Cc: \"a b\"@h.example, list@l.example\n", "\"a b\"@h.example,\n  list@l.example"},
		{"not in Bcc", "Bcc: list@l.example\n", ""},
		{"no list", "To: a\n", ""},
		{"field is there", "To: list@l.example\nmail-followup-to: x\n", ""},
		{"comment", "To: \"# lists\"\n", ""},
		{"forwarded", "To: list@l.example\nResent-To: b\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := printed(t, home, []string{"QMAILMFTFILE=" + lists}, c.text)
			if c.followup == "" && strings.Contains(got, "Mail-Followup-To") || c.followup != "" && !strings.Contains(got, "\nMail-Followup-To: "+c.followup+"\n") {
				t.Errorf("%q", got)
			}
		})
	}
	for _, missing := range []string{"/nonexistent/lists", ""} {
		if got := printed(t, home, []string{"QMAILMFTFILE=" + missing}, "To: list@l.example\n"); strings.Contains(got, "Followup") {
			t.Errorf("%q", got)
		}
	}
	_, err := run(t, home, submit.Queue{}, call{env: []string{"QMAILMFTFILE=" + home}, args: []string{"-n"}, text: strings.NewReader("")})
	if err != errRead {
		t.Errorf("a directory: %v", err)
	}
}

// TestErrors: what is refused, in which words, and whether for good. Nothing is
// queued then.
func TestErrors(t *testing.T) {
	home := newHome(t)
	long := strings.Repeat("x", address.MaxWord+1)
	const line = "unable to parse this line:\n"
	for _, c := range []struct {
		name, env, args, text string
		code                  int
		err                   string
	}{
		{"unknown option", "", "-x", "", 100, "qmail-inject: illegal option -- x"},
		{"option without value", "", "-nf", "", 100, "qmail-inject: option requires an argument -- f"},
		{"unclosed comment", "", "", "From: joe (x\n", 100, line + "From: joe (x"},
		{"unclosed quote", "", "", "Sender: \"joe\n b\n\n", 100, line + "Sender: \"joe\n b"},
		{"stray parenthesis", "", "", "Reply-To: joe )\n", 100, line + "Reply-To: joe )"},
		{"nested group", "", "", "Errors-To: a: b: c;;\n", 100, line + "Errors-To: a: b: c;;"},
		{"stray bracket", "", "", "Resent-From: joe>", 100, line + "Resent-From: joe>"},
		{"Return-Path, even with -f", "", "-fx", "Return-Path: <joe@[1.2>\n", 100, line + "Return-Path: <joe@[1.2>"},
		{"argument", "", "joe@h(", "", 100, "unable to parse address: joe@h("},
		{"sender", "", "-fjoe@h(", "", 100, line + "joe@h("},
		{"sender of the environment", "QMAILSHOST=:", "", "", 100, line + "Return-Path: \"anonymous\"@:"},
		{"From of the environment", "QMAILHOST=>|QMAILSHOST=x", "", "", 100, line + "From: anonymous@>"},
		{"host of the environment", "QMAILDEFAULTHOST=(", "", "", 100, line + "@("},
		{"NUL in a recipient", "", "", "To: a\x00b\n", 100, line + "To: a\x00b"},
		{"NUL in a sender", "", "", "Return-Path: a\x00b\n", 100, line + "Return-Path: a\x00b"},
		{"long word", "", "", "To: a, " + long + "\n", 100, "a word or an address of more than 262144 bytes in this line:\nTo: a, " + long[:maxShown-7]},
		{"long address", "", "", "To: <" + strings.Repeat("x ", len(long)) + ">\n", 100, "a word or an address of more than 262144 bytes in this line:\nTo: <" + strings.Repeat("x ", maxShown)[:maxShown-5]},
		{"long argument", "", long, "", 100, "unable to parse address: " + long},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := accepttest.New(t, 0)
			_, err := run(t, home, submit.Queue{Home: q.Home(), Env: q.Env()}, call{strings.Split(c.env, "|"), strings.Fields(c.args), strings.NewReader(c.text)})
			var status *outcome.Status
			code := outcome.Of(err).ExitCode()
			if errors.As(err, &status) {
				code = status.Code
			}
			if err == nil || err.Error() != c.err || code != c.code {
				t.Errorf("exit code %d, %.200v", code, err)
			}
			if n := len(q.Messages()); n > 0 {
				t.Errorf("%d messages", n)
			}
		})
	}
	// A NUL where it does not reach the envelope does no harm.
	if got := printed(t, home, nil, "From: a\x00b\nSubject: \x00\n"); !strings.Contains(got, "From: \"a\x00b\"@dh.example\nSubject: \x00\n") {
		t.Errorf("%q", got)
	}
}

// TestControlFiles: bad ones are never taken for missing ones.
func TestControlFiles(t *testing.T) {
	names := []string{"defaultdomain", "defaulthost", "idhost", "plusdomain"}
	const text = "To: a, b@h, c@h+\n"
	t.Run("me stands for all", func(t *testing.T) {
		home := t.TempDir()
		must(t, os.Mkdir(home+"/control", 0o755))
		must(t, os.WriteFile(home+"/control/me", []byte("m.example"), 0o644))
		got := printed(t, home, nil, text)
		if !strings.Contains(got, "To: a@m.example, b@h.m.example, c@h.m.example\n") || !strings.Contains(got, "qmail@m.example>") {
			t.Errorf("%q", got)
		}
	})
	t.Run("none", func(t *testing.T) {
		got := printed(t, t.TempDir(), nil, text)
		if !strings.Contains(got, "To: a@defaulthost.defaultdomain, b@h.defaultdomain, c@h.plusdomain\n") || !strings.Contains(got, "qmail@idhost>") {
			t.Errorf("%q", got)
		}
	})
	t.Run("empty", func(t *testing.T) {
		home := newHome(t)
		for _, name := range names {
			must(t, os.WriteFile(filepath.Join(home, "control", name), nil, 0o644))
		}
		if got := printed(t, home, nil, text); !strings.Contains(got, "To: a@., b@h., c@h.\n") {
			t.Errorf("%q", got)
		}
	})
	for _, name := range names {
		for what, spoil := range map[string]func(path string) error{
			"directory":   func(path string) error { return os.Mkdir(path, 0o755) },
			"loop":        func(path string) error { return os.Symlink(path, path) },
			"huge line":   func(path string) error { return os.WriteFile(path, make([]byte, control.MaxLine+1), 0o644) },
			"huge binary": func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte{0xff}, 1<<20), 0o644) },
		} {
			t.Run(name+" is a "+what, func(t *testing.T) {
				home := newHome(t)
				path := filepath.Join(home, "control", name)
				must(t, os.Remove(path))
				must(t, spoil(path))
				_, err := run(t, home, submit.Queue{}, call{args: []string{"-n"}, text: strings.NewReader(text)})
				if err != errRead || outcome.Of(err) != outcome.Deferral {
					t.Error(err)
				}
			})
		}
	}
	t.Run("binary", func(t *testing.T) {
		home := newHome(t)
		must(t, os.WriteFile(home+"/control/defaulthost", []byte("\xff\x01\n"), 0o644))
		if got := printed(t, home, nil, "To: a\n"); !strings.Contains(got, "To: a@\"\xff\x01\".dd.example\n") {
			t.Errorf("%q", got)
		}
	})
}

// TestQueueTrouble: a message that qmail-queue does not take is an error of its kind.
func TestQueueTrouble(t *testing.T) {
	home := newHome(t)
	for _, c := range []struct {
		code int
		text string
		want outcome.Outcome
	}{
		{0, "", outcome.Success},
		{11, "envelope address too long for qq (#5.1.3)", outcome.Failure},
		{31, "mail server permanently rejected message (#5.3.0)", outcome.Failure},
		{53, "qq write error or disk full (#4.3.0)", outcome.Deferral},
		{120, "unable to exec qq (#4.3.0)", outcome.Deferral},
	} {
		q := accepttest.New(t, c.code)
		_, err := run(t, home, submit.Queue{Home: q.Home(), Env: q.Env()}, call{text: strings.NewReader("To: a\n")})
		if outcome.Of(err) != c.want || err != nil && err.Error() != c.text {
			t.Errorf("%d: %v", c.code, err)
		}
	}
	_, err := run(t, home, submit.Queue{Home: "/nonexistent"}, call{text: strings.NewReader("To: a\n")})
	if err == nil || err.Error() != "qq trouble in home directory (#4.3.0)" {
		t.Errorf("no home: %v", err)
	}
}

// TestBrokenInput: of a message that cannot be read to its end nothing is queued.
func TestBrokenInput(t *testing.T) {
	home := newHome(t)
	for _, text := range []string{"", "To: a", "To: a\n", "Subject: x\n y", "To: a\n\n", "To: a\n\nbody", "To: a\n\n" + strings.Repeat("body\n", 1<<16)} {
		q := accepttest.New(t, 0)
		in := io.MultiReader(strings.NewReader(text), iotest.ErrReader(errors.New("broken")))
		_, err := run(t, home, submit.Queue{Home: q.Home(), Env: q.Env()}, call{text: in})
		if err == nil || err.Error() != "read error" || outcome.Of(err) != outcome.Deferral || len(q.Messages()) > 0 {
			t.Errorf("%.20q: %v, %d messages", text, err, len(q.Messages()))
		}
	}
}

// TestFullOutput: a message that cannot be printed is an error.
func TestFullOutput(t *testing.T) {
	settings, err := ReadSettings(control.In(newHome(t)), environment(nil))
	must(t, err)
	_, w := io.Pipe()
	w.Close()
	c := Config{Settings: settings, Output: w, Tmp: t.TempDir(), Now: now}
	if err := Inject(c, Call{Print: true}, strings.NewReader("")); err == nil || !strings.HasPrefix(err.Error(), "unable to write: ") {
		t.Error(err)
	}
}

// TestLargeHeader: a header may outgrow the memory, in fields of any kind, and comes
// out as a small one does. Where there is no room for it, that is an error.
func TestLargeHeader(t *testing.T) {
	const n = 1 << 16
	home := newHome(t)
	lists := home + "/lists"
	must(t, os.WriteFile(lists, []byte("list@l.example\n"), 0o644))
	long := strings.Repeat("x", 3<<20)
	var text, envelope strings.Builder
	fmt.Fprintf(&text, "X-Long: %s\n", long)
	text.WriteString("To: list@l.example")
	for i := range n {
		fmt.Fprintf(&text, ",\n recipient-%d@host.example", i)
	}
	text.WriteString("\n\nbody\n")
	envelope.WriteString("Fjoe@dh.example\x00")
	for i := n - 1; i >= 0; i-- {
		fmt.Fprintf(&envelope, "Trecipient-%d@host.example\x00", i)
	}
	envelope.WriteString("Tlist@l.example\x00\x00")

	q := accepttest.New(t, 0)
	c := call{env: []string{"USER=joe", "QMAILMFTFILE=" + lists}, text: strings.NewReader(text.String())}
	if _, err := run(t, home, submit.Queue{Home: q.Home(), Env: q.Env()}, c); err != nil {
		t.Fatal(err)
	}
	m := q.Messages()[0]
	if m.Envelope != envelope.String() {
		t.Errorf("envelope of %d bytes, want %d", len(m.Envelope), envelope.Len())
	}
	if !strings.Contains(m.Text, "\nX-Long: "+long+"\nTo: list@l.example, recipient-0@host.example, recipient-1@host.example,\n  recipient-2@") || !strings.HasSuffix(m.Text, "\n\nbody\n") {
		t.Errorf("text of %d bytes", len(m.Text))
	}
	if got := strings.Count(m.Text, "@host.example"); got != 2*n {
		t.Errorf("%d addresses in To and Mail-Followup-To", got)
	}

	settings, err := ReadSettings(control.In(home), environment(nil))
	must(t, err)
	for _, text := range []string{text.String(), "X: " + long + long, strings.Repeat("Bcc: recipient@host.example\n", n)} {
		q := accepttest.New(t, 0)
		c := Config{Settings: settings, Queue: submit.Queue{Home: q.Home(), Env: q.Env()}, Tmp: "/nonexistent", Now: now}
		err := Inject(c, Call{FromHeader: true}, strings.NewReader(text))
		if err == nil || !strings.HasPrefix(err.Error(), "unable to write temporary file: ") || outcome.Of(err) != outcome.Deferral || len(q.Messages()) > 0 {
			t.Errorf("no room: %v", err)
		}
	}
}

// FuzzInject: whatever comes in, what goes out is a message with the same body.
func FuzzInject(f *testing.F) {
	settings, err := ReadSettings(control.In(newHome(f)), environment(nil))
	must(f, err)
	f.Add("To: a, \"b\n c\" <d@e> (f\n g)\nFrom: x\\ y\n\nbody")
	f.Add("Return-Path: <>\nResent-Bcc: a b;\nno field\n")
	f.Add("Reply-To: \\\n")
	f.Fuzz(func(t *testing.T, text string) {
		var b bytes.Buffer
		err := Inject(Config{Settings: settings, Output: &b, Now: now}, Call{Print: true}, strings.NewReader(text))
		got := b.String()
		if err != nil {
			if outcome.Of(err) != outcome.Failure {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		before, after := body(t, text), body(t, got)
		if before != after {
			t.Errorf("the body of %q became %q: %q", text, after, got)
		}
		if !strings.Contains(got, "\n"+strings.TrimPrefix(after, "\n")) && after != "" {
			t.Errorf("%q lost its header: %q", text, got)
		}
	})
}

// body is that of a message.
func body(t *testing.T, text string) string {
	r := header.NewReader(strings.NewReader(text))
	for {
		if _, err := r.Next(); err != nil {
			break
		}
	}
	b, err := io.ReadAll(r.Body())
	must(t, err)
	return string(b)
}

// FuzzParseArgs: any arguments are read or refused.
func FuzzParseArgs(f *testing.F) {
	f.Add("-n|-fx|a")
	f.Fuzz(func(t *testing.T, args string) {
		given := strings.Split(args, "|")
		c, err := ParseArgs(given)
		var status *outcome.Status
		if err != nil && (!errors.As(err, &status) || status.Code != 100) {
			t.Errorf("%q: %v", given, err)
		}
		if len(c.Recipients) > len(given) {
			t.Errorf("%q: %q", given, c.Recipients)
		}
	})
}

func BenchmarkInject(b *testing.B) {
	settings, err := ReadSettings(control.In(newHome(b)), environment(nil))
	must(b, err)
	c := Config{Settings: settings, Output: io.Discard, Now: now}
	for b.Loop() {
		must(b, Inject(c, Call{Print: true}, strings.NewReader("To: Joe Shmoe <joe@host.example>, bob\nSubject: x\n\nbody\n")))
	}
}
