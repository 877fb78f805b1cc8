package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goqmail/internal/integration/site"
)

// mailbox is the name that joe has for POP3 clients, with the password "secret".
const mailbox = "joe@host.example.org"

// servePOP starts qmail-popup behind tcpserver on port 1100 of the site, as root.
func servePOP(t *testing.T, s *site.Site) *site.System {
	t.Helper()
	joe := site.Account("joe")
	must(t, os.WriteFile(site.Home+"/users/passwd", fmt.Appendf(nil, "%s:{PLAIN}secret:%d:%d::%s\n", mailbox, joe.UID, joe.GID, joe.Home), 0o600))
	bin := site.Home + "/bin/"
	y := s.Start(site.Command{Program: tool(t, "tcpserver"), Args: []string{"-vRH", "-l0", "127.0.0.1", "1100",
		bin + "qmail-popup", "host.example.org", bin + "qmail-checkpassword", bin + "qmail-pop3d", "Maildir"}, Env: []string{"POP3CAPA=1"}})
	listening(s, "1100")
	return y
}

// texts are messages that a POP3 server and its clients can spoil.
var texts = []string{
	"From: sue@remote.example\nSubject: dots\n\n.\n..\n.last\nFrom here\n",
	"From: sue@remote.example\nSubject: bytes\n\n" + "\xff\xfe gr\xfc\xdfe \xe2\x82\xac\t\n",
	"From: sue@remote.example\nSubject: a long line\n\n" + strings.Repeat("0123456789", 99) + "\n\n\n",
	"From: sue@remote.example\nSubject: long\n\n" + strings.Repeat("The quick brown fox jumps over the lazy dog.\n", 5000),
}

// A popClient is how a program fetches mail for joe into his maildir "got".
type popClient struct {
	dir        string // made for the file
	file       string // its settings
	text       string // what is in it; %s is what says keep or remove
	keep, drop string
	argv       []string
	none       int // exit code where there is no mail
}

func fetchmail(protocol string) popClient {
	return popClient{
		file: ".fetchmailrc",
		text: "poll 127.0.0.1 protocol " + protocol + ` service 1100 uidl
			username "joe@host.example.org" password "secret" sslproto "" %s
			mda "sh -c 'cat >$(mktemp got/new/XXXXXX)'"` + "\n",
		keep: "keep", drop: "no keep",
		argv: []string{"fetchmail", "--nodetach", "--pidfile", "fetchmail.pid"},
		none: 1,
	}
}

// TestPOP: clients fetch mail once and again, leave it on the server or not, and get
// each message as it was, and once.
func TestPOP(t *testing.T) {
	for name, c := range map[string]popClient{
		"fetchmail":         fetchmail("POP3"),
		"fetchmail by APOP": fetchmail("APOP"),
		"mpop": {
			file: ".mpoprc",
			text: "defaults\ntls off\naccount default\nhost 127.0.0.1\nport 1100\nauth user\nuser joe@host.example.org\n" +
				"password secret\ndelivery maildir ~/got\nuidls_file ~/uidls\nreceived_header off\nkeep %s\n",
			keep: "on", drop: "off",
			argv: []string{"mpop", "--pipelining=on"},
		},
		// getmail misses the end of a child that comes before it waits for it, and
		// then waits for a minute; so its children take their time.
		"getmail": {
			dir:  ".getmail",
			file: ".getmail/getmailrc",
			text: "[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\nport = 1100\nusername = joe@host.example.org\npassword = secret\n" +
				"[destination]\ntype = MDA_external\npath = /bin/sh\narguments = (\"-c\", \"cat >$(mktemp $HOME/got/new/XXXXXX); sleep 1\")\n[options]\nread_all = false\ndelivered_to = false\nreceived = false\ndelete = %s\n",
			keep: "false", drop: "true",
			argv: []string{"getmail", "--verbose"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.argv[0] = tool(t, c.argv[0])
			s := site.New(t)
			maildir, got := s.Maildir("joe", "Maildir"), s.Maildir("joe", "got")
			joe := site.Account("joe")
			if c.dir != "" {
				must(t, os.Mkdir(joe.Home+"/"+c.dir, 0o700))
				must(t, os.Chown(joe.Home+"/"+c.dir, int(joe.UID), int(joe.GID)))
			}
			y := servePOP(t, s)
			fetch := func(disposal string, code int) {
				t.Helper()
				s.UserFile("joe", c.file, fmt.Sprintf(c.text, disposal), 0o600)
				cmd := command("joe", "", c.argv...)
				out, err := cmd.CombinedOutput()
				if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
					t.Fatalf("%s: %v\n%s\n%s", c.argv[0], err, out, y.Log())
				}
			}
			server := func() (n int) {
				files, _ := filepath.Glob(maildir + "/[nc][eu][wr]/*")
				return len(files)
			}

			fetch(c.keep, c.none)
			put(t, s, 0, texts...)
			fetch(c.keep, 0)
			fetched(t, s, got, texts...)
			fetch(c.keep, c.none)
			if server() != len(texts) {
				t.Errorf("%d messages on the server", server())
			}
			const late = "From: sue@remote.example\nSubject: late\n\nlate\n"
			put(t, s, len(texts), late)
			fetch(c.keep, 0)
			fetched(t, s, got, append(texts[:len(texts):len(texts)], late)...)

			put(t, s, len(texts)+1, late+"later\n")
			fetch(c.drop, 0)
			fetched(t, s, got, append(texts[:len(texts):len(texts)], late, late+"later\n")...)
		})
	}
}

// put puts messages into joe's maildir, behind n that are older.
func put(t *testing.T, s *site.Site, n int, texts ...string) {
	t.Helper()
	for i, text := range texts {
		path := s.UserFile("joe", fmt.Sprintf("Maildir/new/%d.M1P1Q1.host", 1_700_000_000+n+i), text, 0o600)
		when := time.Unix(int64(1_700_000_000+n+i), 0)
		must(t, os.Chtimes(path, when, when))
	}
}

// fetched wants a maildir to hold these messages, each once, with whatever the client
// has put into the header.
func fetched(t *testing.T, s *site.Site, dir string, want ...string) {
	t.Helper()
	got := map[string]int{}
	for _, message := range s.ReadDir(dir + "/new") {
		_, body, _ := strings.Cut(strings.ReplaceAll(message, "\r\n", "\n"), "\n\n")
		got[strings.TrimRight(body, "\n")]++
	}
	for _, message := range want {
		_, body, _ := strings.Cut(message, "\n\n")
		body = strings.TrimRight(body, "\n")
		if got[body] != 1 {
			t.Errorf("%d copies of %.100q", got[body], message)
		}
		delete(got, body)
	}
	for body := range got {
		t.Errorf("and %.100q", body)
	}
}

// dovecotConf is a Dovecot for joe alone, that nothing of the machine knows of.
const dovecotConf = `
base_dir = /mnt/dovecot/run
state_dir = /mnt/dovecot/state
log_path = /dev/stderr
protocols = imap pop3
listen = 127.0.0.1
service imap-login {
  inet_listener imap {
    port = 1143
  }
  inet_listener imaps {
    port = 0
  }
}
service pop3-login {
  inet_listener pop3 {
    port = 1110
  }
  inet_listener pop3s {
    port = 0
  }
}
default_internal_user = qmaill
default_internal_group = nofiles
default_login_user = qmaild
disable_plaintext_auth = no
ssl = no
mail_location = maildir:~/Maildir
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=joe gid=joe home=/mnt/home/joe
}
`

// imapReader reads the inbox as mail arrives until it has seen as many messages as
// it was told, then marks one as read, and prints all bodies.
const imapReader = `
import imaplib, poplib, sys, time
want = int(sys.argv[1])
m = imaplib.IMAP4("127.0.0.1", 1143, timeout=30)
m.login("joe", "secret")
m.select("INBOX")
seen = {}
end = time.monotonic() + 30
while len(seen) < want and time.monotonic() < end:
    m.noop()
    kind, data = m.uid("SEARCH", "ALL")
    for uid in data[0].split():
        if uid not in seen:
            kind, data = m.uid("FETCH", uid, "(BODY.PEEK[TEXT])")
            seen[uid] = data[0][1]
m.uid("STORE", min(seen, key=int), "+FLAGS", "(\\Seen)")
m.logout()
p = poplib.POP3("127.0.0.1", 1110, timeout=30)
p.user("joe"); p.pass_("secret")
print(p.stat()[0], len(set(line.split()[1] for line in p.uidl()[1])))
p.quit()
for body in seen.values():
    print(body)
`

// TestDovecot: Dovecot serves a maildir while qmail delivers to it.
func TestDovecot(t *testing.T) {
	dovecot := tool(t, "dovecot")
	python := tool(t, "python3")
	s := site.New(t)
	maildir := s.Maildir("joe", "Maildir")
	must(t, os.MkdirAll("/mnt/dovecot", 0o755))
	must(t, os.WriteFile("/mnt/dovecot/dovecot.conf", []byte(dovecotConf), 0o644))
	d := s.Start(site.Command{Program: dovecot, Args: []string{"-F", "-c", "/mnt/dovecot/dovecot.conf"}})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(d.Log())
		}
	})
	listening(s, "1143")
	listening(s, "1110")
	y := s.Up("./Maildir/")

	const n = 60
	reader := exec.Command(python, "-c", imapReader, fmt.Sprint(n))
	var out strings.Builder
	reader.Stdout, reader.Stderr = &out, &out
	must(t, reader.Start())
	for i := range n {
		s.Queue(fmt.Sprintf("Subject: %d\n\nnumber %d\n", i, i), "sue@remote.example", "joe@host.example.org")
	}
	if err := reader.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	y.WaitEmpty()
	if !strings.HasPrefix(out.String(), fmt.Sprintf("%d %d\n", n, n)) {
		t.Errorf("POP3 of Dovecot: %s", out.String())
	}
	for i := range n {
		if strings.Count(out.String(), fmt.Sprintf("number %d\\r\\n", i)) != 1 {
			t.Errorf("message %d: %s", i, out.String())
		}
	}
	if seen, _ := filepath.Glob(maildir + "/cur/*:2,S"); len(seen) != 1 {
		t.Errorf("%v are marked as read", seen)
	}

	// What Dovecot has left is a maildir for qmail-pop3d, which shows no message in the
	// second of its delivery.
	servePOP(t, s)
	const login = `
import poplib, time
for _ in range(100):
    p = poplib.POP3("127.0.0.1", 1100, timeout=30)
    p.user("joe@host.example.org"); p.pass_("secret")
    if p.stat()[0] == 60:
        break
    p.quit()
    time.sleep(0.1)
print(p.stat()[0], len(set(line.split()[1] for line in p.uidl()[1])))
p.dele(1)
p.quit()
`
	if got, err := exec.Command(python, "-c", login).CombinedOutput(); string(got) != fmt.Sprintf("%d %d\n", n, n) {
		t.Errorf("%v\n%s", err, got)
	}
}
