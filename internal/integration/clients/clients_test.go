// Package clients runs mail through goqmail with the programs that other people
// use every day: swaks and Postfix's smtp-source and qmqp-source over tcpserver,
// s-nail and mutt through sendmail, procmail and maildrop out of .qmail files, a
// mailing list that is a shell script, fetchmail, mpop and getmail by POP3, Dovecot on
// a maildir that is being delivered to, fail2ban and logwatch on the logs, and Python's
// email package to read a bounce. A test whose program is not there is skipped and
// says so; .ci/run has them all.
package clients

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/integration/site"
)

func TestMain(m *testing.M) { site.Main(m) }

// serve starts qmail-smtpd behind tcpserver on port 25 of the site.
func serve(t *testing.T, s *site.Site) {
	t.Helper()
	s.Control("rcpthosts", "host.example.org\n")
	cmd := exec.Command(tool(t, "setpriv"), "--reuid=qmaild", "--regid=nofiles", "--clear-groups",
		tool(t, "tcpserver"), "-H", "-R", "-l", "host.example.org", "127.0.0.1", "2525", site.Home+"/bin/qmail-smtpd")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	listening(s, "2525")
}

// arrived waits for a number of messages in joe's maildir.
func arrived(t *testing.T, s *site.Site, maildir string, n int) []string {
	t.Helper()
	s.Eventually("mail in the maildir", func() bool { return len(s.ReadDir(maildir+"/new")) >= n })
	messages := s.ReadDir(maildir + "/new")
	if len(messages) != n {
		t.Errorf("%d messages, should be %d", len(messages), n)
	}
	return messages
}

func TestSwaks(t *testing.T) {
	swaks := tool(t, "swaks")
	s := site.New(t)
	maildir := s.Maildir("joe", "Maildir")
	serve(t, s)
	s.Up("./Maildir/")
	out := run(t, "", swaks, "--server", "127.0.0.1:2525", "--from", "sue@remote.example", "--to", "joe@host.example.org",
		"--header", "Subject: by swaks", "--body", "first\n.\n..\nlast")
	message := arrived(t, s, maildir, 1)[0]
	for _, want := range []string{"Return-Path: <sue@remote.example>\nDelivered-To: joe@host.example.org\nReceived: ", "\nSubject: by swaks\n", "\n.\n..\nlast\n"} {
		if !strings.Contains(message, want) {
			t.Errorf("no %q in\n%s\n%s", want, message, out)
		}
	}
}

func TestSMTPSource(t *testing.T) {
	source := tool(t, "smtp-source")
	s := site.New(t)
	maildir := s.Maildir("joe", "Maildir")
	serve(t, s)
	s.Up("./Maildir/")
	run(t, "", source, "-s", "5", "-m", "50", "-l", "5000", "-f", "sue@remote.example", "-t", "joe@host.example.org", "127.0.0.1:2525")
	run(t, "", source, "-d", "-s", "5", "-m", "50", "-l", "5000", "-f", "sue@remote.example", "-t", "joe@host.example.org", "127.0.0.1:2525")
	arrived(t, s, maildir, 100)
}

// TestMailers: what a user types ends up as a message from him.
func TestMailers(t *testing.T) {
	sendmail := site.Home + "/bin/sendmail"
	for name, args := range map[string][]string{
		"s-nail": {"-n", "-S", "mta=" + sendmail, "-S", "sendwait", "-s", "by a mailer", "-c", "ann@host.example.org", "joe@host.example.org"},
		"mutt":   {"-n", "-F", "/dev/null", "-e", `set sendmail="` + sendmail + ` -oem -oi"`, "-e", "unset record", "-s", "by a mailer", "-c", "ann@host.example.org", "joe@host.example.org"},
	} {
		t.Run(name, func(t *testing.T) {
			program := tool(t, name)
			s := site.New(t)
			joe, ann := s.Maildir("joe", "Maildir"), s.Maildir("ann", "Maildir")
			s.Up("./Maildir/")
			run(t, "Hello!\n.\nStill here.\n", append([]string{program}, args...)...)
			message := arrived(t, s, joe, 1)[0]
			arrived(t, s, ann, 1)
			for _, want := range []string{"Return-Path: <joe@host.example.org>\n", "\nSubject: by a mailer\n", "\nFrom: ", "joe@host.example.org", "Hello!\n", "Still here.\n"} {
				if !strings.Contains(message, want) {
					t.Errorf("no %q in\n%s", want, message)
				}
			}
		})
	}
}

// TestFilters: filters that people call from .qmail.
func TestFilters(t *testing.T) {
	for name, c := range map[string]struct{ file, text, command string }{
		"procmail": {".procmailrc", "DEFAULT=$HOME/Maildir/\n", "|preline procmail -m ./.procmailrc\n"},
		"maildrop": {".mailfilter", "to \"$HOME/Maildir/\"\n", "|preline maildrop ./.mailfilter\n"},
	} {
		t.Run(name, func(t *testing.T) {
			tool(t, name)
			s := site.New(t)
			maildir := s.Maildir("joe", "Maildir")
			s.UserFile("joe", c.file, c.text, 0o600)
			s.UserFile("joe", ".qmail", c.command, 0o600)
			y := s.Up()
			s.Queue("Subject: filtered\n\nHello!\n", "sue@remote.example", "joe@host.example.org")
			y.WaitLog(": (success|deferral|failure): .*")
			if !strings.Contains(y.Log(), ": success: ") {
				t.Fatal(y.Log())
			}
			if message := arrived(t, s, maildir, 1)[0]; !strings.Contains(message, "Hello!\n") {
				t.Error(message)
			}
		})
	}
}

// bounceReader prints what Python's email package finds in a bounce.
const bounceReader = `
import email, email.policy, sys
m = email.message_from_file(sys.stdin, policy=email.policy.default)
body = m.get_content()
assert not m.defects, m.defects
print(m['From'], '|', m['To'], '|', m['Subject'], '|', m['Date'].datetime.year > 2000)
intro, rest = body.split('\n\n', 1)
assert intro.startswith('Hi. This is the'), intro
paragraph, copy = rest.split('\n\n--- Below this line is a copy of the message.\n\n')
print(paragraph.splitlines()[0])
print(email.message_from_string(copy)['Subject'])
`

func TestPythonReadsABounce(t *testing.T) {
	python := tool(t, "python3")
	s := site.New(t)
	maildir := s.Maildir("joe", "Maildir")
	s.Up("./Maildir/")
	s.Queue("Subject: to nobody\n\nHello?\n", "joe@host.example.org", "nobody@host.example.org")
	bounce := arrived(t, s, maildir, 1)[0]
	cmd := exec.Command(python, "-c", bounceReader)
	cmd.Stdin = strings.NewReader(bounce)
	out, err := cmd.CombinedOutput()
	want := "MAILER-DAEMON@host.example.org | joe@host.example.org | failure notice | True\n<nobody@host.example.org>:\nto nobody\n"
	if err != nil || string(out) != want {
		t.Errorf("%v, %s\n%s", err, out, bounce)
	}
}

// TestQMQPSource: Postfix's client of QMQP against qmail-qmqpd.
func TestQMQPSource(t *testing.T) {
	source := tool(t, "qmqp-source")
	tcpserver := tool(t, "tcpserver")
	s := site.New(t)
	maildir := s.Maildir("joe", "Maildir")
	qmaild := site.Account("qmaild")
	s.Start(site.Command{Program: tcpserver, Args: []string{"-RH", "-l0", "-u", fmt.Sprint(qmaild.UID), "-g", fmt.Sprint(qmaild.GID),
		"127.0.0.1", "628", site.Home + "/bin/qmail-qmqpd"}})
	listening(s, "628")
	s.Up("./Maildir/")
	run(t, "", source, "-s", "5", "-m", "50", "-l", "5000", "-f", "sue@remote.example", "-t", "joe@host.example.org", "127.0.0.1:628")
	arrived(t, s, maildir, 50)
}

// TestQMQPSink: qmail-qmqpc against Postfix's server of QMQP.
func TestQMQPSink(t *testing.T) {
	sink := tool(t, "qmqp-sink")
	s := site.New(t)
	y := s.Start(site.Command{Program: sink, Args: []string{"-v", "-c", "127.0.0.1:628", "10"}})
	listening(s, "628")
	s.Control("qmqpservers", "127.0.0.1\n")
	text := "Subject: hi\n\n" + strings.Repeat("The quick brown fox jumps over the lazy dog.\n", 50_000)
	for range 5 {
		if r := s.Run(site.Command{Program: "qmail-qmqpc", As: "joe", Stdin: strings.NewReader(text),
			FD1: site.Envelope("joe@host.example.org", "sue@remote.example", "bob@remote.example")}); r.Code != 0 {
			t.Errorf("exit code %d: %s\n%s", r.Code, r.Stderr, y.Log())
		}
	}
}
