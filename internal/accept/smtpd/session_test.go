package smtpd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goqmail/internal/accept/accepttest"
	"goqmail/internal/accept/connection"
	"goqmail/internal/accept/rcpthosts"
	"goqmail/internal/mail/fold"
	"goqmail/internal/wire/smtp"
)

// A talk is a session of one client that sends all at once.
type talk struct {
	config Config
	env    []string
	code   int // of qmail-queue
	tmp    string
	in     io.Reader

	replies  []string // without the greeting
	messages []accepttest.Message
	warnings []string
	err      error
}

func (k *talk) hold(t *testing.T, in string) *talk {
	t.Helper()
	q := accepttest.New(t, k.code)
	if k.config.Recipients == nil {
		k.config.Recipients = &rcpthosts.List{}
	}
	k.config.Greeting = "mx.test"
	if k.tmp == "" {
		k.tmp = q.Home()
	}
	if k.in == nil {
		k.in = strings.NewReader("")
	}
	env := q.Env(append([]string{"TCPREMOTEIP=192.0.2.1", "TCPREMOTEHOST=client.test", "TCPLOCALHOST=local.test"}, k.env...)...)
	var out strings.Builder
	k.err = k.config.Serve(connection.Client{
		In:    io.MultiReader(strings.NewReader(in), k.in),
		Out:   &out,
		Env:   env,
		Queue: env.Queue(q.Home()),
		Tmp:   k.tmp,
		Now:   func() time.Time { return time.Unix(800000000, 0) },
		Warn:  func(text string) { k.warnings = append(k.warnings, text) },
	})
	k.messages = q.Messages()
	greeting, rest, _ := strings.Cut(out.String(), "\r\n")
	if greeting != "220 mx.test ESMTP" {
		t.Errorf("greeting %q", greeting)
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(rest, "\r\n"), "\r\n") {
		if i := strings.Index(line, " qp "); i >= 0 && strings.HasPrefix(line, "250") {
			line = line[:i]
		}
		k.replies = append(k.replies, line)
	}
	return k
}

func (k *talk) want(t *testing.T, replies ...string) {
	t.Helper()
	if got, want := strings.Join(k.replies, "\n"), strings.Join(replies, "\n"); got != want {
		t.Errorf("replies\n%s\nwant\n%s", got, want)
	}
}

func lines(l ...string) string { return strings.Join(l, "\r\n") + "\r\n" }

const (
	bye      = "221 mx.test"
	goAhead  = "354 go ahead"
	accepted = "250 ok 800000000"
)

// start is a transaction up to DATA.
var start = lines("MAIL FROM:<s@x.test>", "RCPT TO:<r@y.test>", "DATA")

func TestVerbs(t *testing.T) {
	k := (&talk{}).hold(t, lines("HELO c", "ehlo c", "NOOP x", "VRFY y", "HELP", "RSET", "EXPN z", "", " NOOP", "RCPT TO:<a@b>", "DATA", "MAIL FROM:<>", "DATA", "quit", "NOOP"))
	k.want(t, "250 mx.test", "250-mx.test", "250-PIPELINING", "250 8BITMIME", "250 ok",
		"252 send some mail, i'll try my best", "214 qmail home page: https://cr.yp.to/qmail.html", "250 flushed",
		"502 unimplemented (#5.5.1)", "502 unimplemented (#5.5.1)", "502 unimplemented (#5.5.1)",
		"503 MAIL first (#5.5.1)", "503 MAIL first (#5.5.1)", "250 ok", "503 RCPT first (#5.5.1)", bye)
	if k.err != nil {
		t.Error(k.err)
	}
}

func TestMessage(t *testing.T) {
	k := (&talk{env: []string{"TCPREMOTEINFO=joe"}}).hold(t, lines("HELO c.test", "MAIL FROM:<s@x.test> SIZE=5", "RCPT TO:<a@y.test>", "RCPT TO:<b@y.test>", "DATA", "Subject: x", "", "..", ".", "QUIT"))
	k.want(t, "250 mx.test", "250 ok", "250 ok", "250 ok", goAhead, accepted, bye)
	want := accepttest.Message{
		Text:     "Received: from client.test (HELO c.test) (joe@192.0.2.1)\n  by local.test with SMTP; 9 May 1995 06:13:20 -0000\nSubject: x\n\n.\n",
		Envelope: "Fs@x.test\x00Ta@y.test\x00Tb@y.test\x00\x00",
	}
	if len(k.messages) != 1 || k.messages[0] != want {
		t.Errorf("%q", k.messages)
	}
}

func TestTransactions(t *testing.T) {
	long := "<" + strings.Repeat("a", 900) + ">"
	for _, c := range []struct {
		name, in string
		envelope string
	}{
		{"a refused MAIL leaves it", lines("MAIL FROM:<a>", "MAIL FROM:"+long, "RCPT TO:<b>", "DATA", "."), "Fa\x00Tb\x00\x00"},
		{"a refused RCPT leaves it", lines("MAIL FROM:<a>", "RCPT TO:<b>", "RCPT TO:"+long, "DATA", "."), "Fa\x00Tb\x00\x00"},
		{"the next MAIL forgets it", lines("MAIL FROM:<a>", "RCPT TO:<b>", "MAIL FROM:<c>", "DATA", "RCPT TO:<d>", "DATA", "."), "Fc\x00Td\x00\x00"},
		{"RSET forgets it", lines("MAIL FROM:<a>", "RCPT TO:<b>", "RSET", "DATA"), ""},
		{"HELO forgets it", lines("MAIL FROM:<a>", "RCPT TO:<b>", "HELO x", "DATA"), ""},
		{"DATA ends it", lines("MAIL FROM:<a>", "RCPT TO:<b>", "DATA", ".", "DATA"), "Fa\x00Tb\x00\x00"},
		{"a long command leaves it", lines("MAIL FROM:<a>", "RCPT TO:<b>", strings.Repeat("x", maxCommand), "DATA", "."), "Fa\x00Tb\x00\x00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := (&talk{}).hold(t, c.in+"QUIT\r\n")
			var got string
			for _, m := range k.messages {
				got += m.Envelope
			}
			if got != c.envelope {
				t.Errorf("%q, want %q", got, c.envelope)
			}
		})
	}
}

func TestLongCommandIsAnswered(t *testing.T) {
	k := (&talk{}).hold(t, lines("RCPT TO:<"+strings.Repeat("x", maxCommand)+">", "QUIT"))
	k.want(t, "500 command line too long (#5.5.2)", bye)
}

func TestRefusals(t *testing.T) {
	hosts := rcpthosts.New([]string{"y.test"}, nil)
	const notListed = "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"
	t.Run("rcpthosts", func(t *testing.T) {
		k := (&talk{config: Config{Recipients: hosts}}).hold(t, lines("MAIL FROM:<>", "RCPT TO:<a@no.test>", "RCPT TO:<a@y.test>", "QUIT"))
		k.want(t, "250 ok", notListed, "250 ok", bye)
		if len(k.warnings) > 0 {
			t.Error(k.warnings)
		}
	})
	t.Run("no rcpthosts", func(t *testing.T) {
		k := (&talk{}).hold(t, lines("MAIL FROM:<>", "RCPT TO:<a@no.test>", "RCPT TO:<a@y.test>", "QUIT"))
		k.want(t, "250 ok", "250 ok", "250 ok", bye)
		if len(k.warnings) != 1 || !strings.Contains(k.warnings[0], "open relay") {
			t.Error(k.warnings)
		}
	})
	t.Run("RELAYCLIENT", func(t *testing.T) {
		k := (&talk{config: Config{Recipients: hosts}, env: []string{"RELAYCLIENT=@fix"}}).hold(t, lines("MAIL FROM:<>", "RCPT TO:<a@no.test>", "DATA", ".", "QUIT"))
		k.want(t, "250 ok", "250 ok", goAhead, accepted, bye)
		if k.messages[0].Envelope != "F\x00Ta@no.test@fix\x00\x00" {
			t.Errorf("%q", k.messages[0].Envelope)
		}
	})
	t.Run("badmailfrom", func(t *testing.T) {
		const bad = "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)"
		k := (&talk{config: Config{BadMailFrom: fold.NewSet([]string{"a@x.test", "@Evil.test"})}}).hold(t,
			lines("MAIL FROM:<A@x.test>", "RCPT TO:<r>", "MAIL FROM:<b@evil.test>", "RCPT TO:<r>", "MAIL FROM:<b@x.test>", "RCPT TO:<r>", "QUIT"))
		k.want(t, "250 ok", bad, "250 ok", bad, "250 ok", "250 ok", bye)
	})
	t.Run("maxrcpt", func(t *testing.T) {
		k := (&talk{config: Config{MaxRecipients: 2}}).hold(t, lines("MAIL FROM:<>", "RCPT TO:<a>", "RCPT TO:<b>", "RCPT TO:<c>", "DATA", ".", "QUIT"))
		k.want(t, "250 ok", "250 ok", "250 ok", "452 too many recipients (#4.5.3)", goAhead, accepted, bye)
		if k.messages[0].Envelope != "F\x00Ta\x00Tb\x00\x00" {
			t.Errorf("%q", k.messages[0].Envelope)
		}
	})
	t.Run("an unreadable database ends the session", func(t *testing.T) {
		k := (&talk{config: Config{Recipients: rcpthosts.New(nil, broken{})}}).hold(t, lines("MAIL FROM:<>", "RCPT TO:<a@b>", "QUIT"))
		k.want(t, "250 ok", "421 unable to read controls (#4.3.0)")
		if k.err == nil {
			t.Error("no error")
		}
	})
}

type broken struct{}

func (broken) Find(string) ([]byte, bool, error) { return nil, false, errors.New("broken") }

func TestManyRecipients(t *testing.T) {
	var in, want strings.Builder
	in.WriteString("MAIL FROM:<>\r\n")
	want.WriteString("F\x00")
	for i := range 50000 {
		fmt.Fprintf(&in, "RCPT TO:<recipient-number-%d@y.test>\r\n", i)
		fmt.Fprintf(&want, "Trecipient-number-%d@y.test\x00", i)
	}
	in.WriteString("DATA\r\n.\r\nQUIT\r\n")
	if k := (&talk{}).hold(t, in.String()); len(k.messages) != 1 || k.messages[0].Envelope != want.String()+"\x00" {
		t.Errorf("%d messages", len(k.messages))
	}
	// Where there is no place for them, those that were accepted still count.
	k := (&talk{tmp: "/nonexistent"}).hold(t, in.String())
	count := strings.Count(strings.Join(k.replies, "\n"), "250 ok") - 2
	if len(k.messages) != 1 || strings.Count(k.messages[0].Envelope, "T") != count || count < 1000 || count == 50000 {
		t.Errorf("%d messages, %d recipients accepted", len(k.messages), count)
	}
}

func TestVerdicts(t *testing.T) {
	const tooLarge = "552 sorry, that message size exceeds my databytes limit (#5.3.4)"
	const looping = "554 too many hops, this message is looping (#5.4.6)"
	hops := func(n int) string { return strings.Repeat("Received: x\r\n", n) }
	for _, c := range []struct {
		name   string
		limit  uint64
		env    []string
		code   int
		text   string
		reply  string
		queued bool
	}{
		{"at the limit", 4, nil, 0, "a\r\n..\r\n", accepted, true},
		{"over the limit", 4, nil, 0, "a\r\n...\r\n", tooLarge, false},
		{"a larger DATABYTES", 1, []string{"DATABYTES=9"}, 0, "abc\r\n", accepted, true},
		{"a smaller DATABYTES", 9, []string{"DATABYTES=1"}, 0, "abc\r\n", tooLarge, false},
		{"DATABYTES of no number", 1, []string{"DATABYTES=x"}, 0, "abc\r\n", accepted, true},
		{"a limit beyond 32 bits", 1 << 32, nil, 0, "abc\r\n", accepted, true},
		{"99 hops", 0, nil, 0, hops(99), accepted, true},
		{"100 hops", 0, nil, 0, hops(100), looping, false},
		{"100 hops and over the limit", 1, nil, 0, hops(100), looping, false},
		{"too large wins over qmail-queue", 1, nil, 31, "abc\r\n", tooLarge, false},
		{"a permanent refusal", 0, nil, 31, "", "554 mail server permanently rejected message (#5.3.0)", true},
		{"a temporary refusal", 0, nil, 53, "", "451 qq write error or disk full (#4.3.0)", true},
		{"an unknown exit code", 0, nil, 2, "", "451 qq temporary problem (#4.3.0)", true},
		{"no qmail-queue", 0, []string{"QMAILQUEUE=/nonexistent"}, 0, "", "451 unable to exec qq (#4.3.0)", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := (&talk{config: Config{Databytes: c.limit}, env: c.env, code: c.code}).hold(t, start+c.text+".\r\nNOOP\r\nQUIT\r\n")
			k.want(t, "250 ok", "250 ok", goAhead, c.reply, "250 ok", bye)
			if (len(k.messages) == 1) != c.queued {
				t.Errorf("%d messages", len(k.messages))
			}
		})
	}
}

func TestEndsOfSessions(t *testing.T) {
	for _, c := range []struct {
		name, in string
		then     error
		reply    string
		err      error
	}{
		{"end of input before MAIL", "NOOP\r\n", io.EOF, "250 ok", io.EOF},
		{"end of input in a command", "NOOP\r\nQUI", io.EOF, "250 ok", io.EOF},
		{"end of input in a message", start + "abc\r\n", io.EOF, goAhead, io.ErrUnexpectedEOF},
		{"end of input after the dot", start + "abc\r\n.\r", io.EOF, goAhead, io.ErrUnexpectedEOF},
		{"timeout in a command", "NOOP\r\nQUI", os.ErrDeadlineExceeded, "451 timeout (#4.4.2)", os.ErrDeadlineExceeded},
		{"timeout in a message", start + "abc\r\n", os.ErrDeadlineExceeded, "451 timeout (#4.4.2)", os.ErrDeadlineExceeded},
		{"bare LF in a message", start + "abc\n.\r\n", io.EOF, "451 See https://cr.yp.to/docs/smtplf.html.", smtp.ErrBareLF},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := (&talk{in: failing{c.then}}).hold(t, c.in)
			if last := k.replies[len(k.replies)-1]; last != c.reply || !errors.Is(k.err, c.err) {
				t.Errorf("%q, %v", last, k.err)
			}
			if len(k.messages) > 0 {
				t.Errorf("%q", k.messages)
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestReadConfig(t *testing.T) {
	dir := func(files map[string]string) string {
		home := t.TempDir()
		os.Mkdir(filepath.Join(home, "control"), 0o755)
		for name, text := range files {
			path := filepath.Join(home, "control", name)
			if text == "DIRECTORY" {
				os.Mkdir(path, 0o755)
			} else if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return home
	}
	c, err := ReadConfig(in(dir(map[string]string{"me": "mx.test \n", "timeoutsmtpd": "0\n", "databytes": "99999999999999999999999\n", "maxrcpt": "ten\n", "badmailfrom": "\x00\xff\n"})))
	if err != nil {
		t.Fatal(err)
	}
	if c.Greeting != "mx.test" || *c.LocalIPHost != "mx.test" || c.Timeout != time.Second || c.Databytes != 1<<64-1 || c.MaxRecipients != 0 || !c.Recipients.OpenRelay() {
		t.Errorf("%+v", c)
	}
	c, err = ReadConfig(in(dir(map[string]string{"smtpgreeting": "g\n", "timeoutsmtpd": "99999999999999999999999\n", "rcpthosts": ""})))
	if err != nil || c.LocalIPHost != nil || c.Timeout < 1e9*time.Second || c.Recipients.OpenRelay() {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := ReadConfig(in(dir(nil))); err == nil {
		t.Error("neither smtpgreeting nor me, and no error")
	}
	for _, name := range []string{"smtpgreeting", "localiphost", "databytes", "maxrcpt", "timeoutsmtpd", "badmailfrom", "rcpthosts"} {
		_, err := ReadConfig(in(dir(map[string]string{"me": "x\n", name: "DIRECTORY"})))
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("unreadable %s: %v", name, err)
		}
	}
}

func FuzzSession(f *testing.F) {
	for _, s := range []string{start + ".\r\nQUIT\r\n", lines("EHLO x", "MAIL FROM:<a@[127.0.0.1]>", "RCPT TO:<@a:b@c>", "RSET", "DATA"), "\x00\r\nRCPT\n", start + "\n"} {
		f.Add([]byte(s))
	}
	config := &Config{Greeting: "mx.test", Recipients: rcpthosts.New([]string{"y.test"}, nil), LocalIPHost: new(string)}
	env := (&accepttest.Queue{}).Env("QMAILQUEUE=/bin/true")
	f.Fuzz(func(t *testing.T, in []byte) {
		var out strings.Builder
		config.Serve(connection.Client{In: strings.NewReader(string(in)), Out: &out, Env: env, Queue: env.Queue("/"), Tmp: t.TempDir(), Now: time.Now, Warn: func(string) {}})
		for line := range strings.SplitSeq(strings.TrimSuffix(out.String(), "\r\n"), "\r\n") {
			if len(line) < 4 || line[0] < '2' || line[0] > '5' || strings.ContainsAny(line, "\r\n\x00") {
				t.Errorf("reply %q", line)
			}
		}
	})
}
