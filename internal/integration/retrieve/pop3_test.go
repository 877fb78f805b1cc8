package retrieve

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/integration/site"

	"golang.org/x/sys/unix"
)

const address = "127.0.0.1:110"

// A server accepts POP3 as tcpserver does: for each connection it runs qmail-popup
// as root with the socket on descriptors 0 and 1.
type server struct {
	mu    sync.Mutex
	log   bytes.Buffer
	usage []*syscall.Rusage // of the sessions that are over
}

func serve(t *testing.T, env ...string) *server {
	t.Helper()
	l, err := net.Listen("tcp", address)
	must(t, err)
	v := &server{}
	var sessions sync.WaitGroup
	t.Cleanup(func() { l.Close(); sessions.Wait() })
	bin := site.Home + "/bin/"
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f, err := c.(*net.TCPConn).File()
			c.Close()
			if err != nil {
				return
			}
			cmd := exec.Command(bin+"qmail-popup", "pop.example.org", "qmail-checkpassword", "qmail-pop3d", "Maildir")
			cmd.Env = append([]string{"PATH=" + bin + ":/usr/bin:/bin", "TCPREMOTEIP=192.0.2.1"}, env...)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = f, f, v
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			sessions.Go(func() {
				cmd.Run()
				f.Close()
				v.mu.Lock()
				defer v.mu.Unlock()
				v.usage = append(v.usage, cmd.ProcessState.SysUsage().(*syscall.Rusage))
			})
		}
	}()
	return v
}

func (v *server) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.log.Write(p)
}

// Log is what the programs have said on descriptor 2.
func (v *server) Log() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.log.String()
}

// A client is a POP3 client that looks at every octet.
type client struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T) *client {
	t.Helper()
	c, err := net.Dial("tcp", address)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	must(t, c.SetDeadline(time.Now().Add(time.Minute)))
	return &client{t, c, bufio.NewReader(c)}
}

func (c *client) say(text string) {
	c.t.Helper()
	_, err := io.WriteString(c.Conn, text)
	must(c.t, err)
}

func (c *client) expect(want string) {
	c.t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(c.r, got)
	if string(got[:n]) != want {
		c.t.Fatalf("got %.200q, %v, want %.200q", got[:n], err, want)
	}
}

// login takes the greeting and logs in.
func (c *client) login(name, password string) {
	c.t.Helper()
	if _, err := c.r.ReadString('\n'); err != nil {
		c.t.Fatal(err)
	}
	c.say("USER " + name + "\r\n")
	c.expect(ok)
	c.say("PASS " + password + "\r\n")
}

// end wants the server to close the connection.
func (c *client) end() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.r); len(rest) > 0 || err != nil {
		c.t.Errorf("then %q, %v", rest, err)
	}
}

const ok = "+OK \r\n"

// fill puts messages into a maildir, the first one the oldest.
func fill(t *testing.T, dir string, user string, texts ...string) {
	t.Helper()
	a := site.Account(user)
	for i, text := range texts {
		path := fmt.Sprintf("%s/new/%d.M1P1Q1.host", dir, 1_700_000_000+i)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		must(t, os.Chown(path, int(a.UID), int(a.GID)))
		when := time.Unix(int64(1_700_000_000+i), 0)
		must(t, os.Chtimes(path, when, when))
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	var list []string
	for _, sub := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		must(t, err)
		for _, e := range entries {
			list = append(list, sub+"/"+e.Name())
		}
	}
	return strings.Join(list, " ")
}

func TestSession(t *testing.T) {
	s := newSite(t)
	dir := s.Maildir("joe", "Maildir")
	fill(t, dir, "joe", "Subject: one\n\n1\n", "Subject: two\n\n2\n")
	v := serve(t)
	c := dial(t)
	c.login("joe", "secret")
	c.expect(ok)
	c.say("STAT\r\nLIST\r\nUIDL 2\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n")
	c.expect("+OK 2 32\r\n" + ok + "1 16\r\n2 16\r\n.\r\n+OK 2 1700000001.M1P1Q1.host\r\n" + ok + "Subject: one\r\n\r\n1\r\n\r\n.\r\n" + ok + ok)
	c.end()
	if got := names(t, dir); got != "cur/1700000001.M1P1Q1.host:2," {
		t.Error(got)
	}
	if log := v.Log(); log != "" {
		t.Error(log)
	}
}

// TestEverythingAtOnce: a client that sends all its commands, login and all, before
// it has read the greeting.
func TestEverythingAtOnce(t *testing.T) {
	s := newSite(t)
	fill(t, s.Maildir("joe", "Maildir"), "joe", "Subject: one\n\n1\n")
	serve(t, "POP3CAPA=")
	c := dial(t)
	c.say("CAPA\r\nUSER joe\r\nPASS secret\r\nCAPA\r\nRETR 1\r\nQUIT\r\n")
	if greeting, err := c.r.ReadString('\n'); !strings.HasSuffix(greeting, "@pop.example.org>\r\n") {
		t.Fatal(greeting, err)
	}
	const capa = ok + "TOP\r\nUSER\r\nUIDL\r\nPIPELINING\r\nEXPIRE NEVER\r\n"
	c.expect(capa + ".\r\n" + ok + ok + capa + "IMPLEMENTATION goqmail\r\n.\r\n" + ok + "Subject: one\r\n\r\n1\r\n\r\n.\r\n" + ok)
	c.end()
}

func TestLogins(t *testing.T) {
	s := newSite(t)
	s.Maildir("joe", "Maildir")
	s.Maildir("ann", "Maildir")
	joe := site.Account("joe")
	must(t, os.Mkdir(joe.Home+"/mail", 0o700))
	must(t, os.Chown(joe.Home+"/mail", int(joe.UID), int(joe.GID)))
	const failed = "-ERR authorization failed\r\n"
	for _, c := range []struct{ name, password, want, log string }{
		{"joe", "secret", ok, ""},
		{"joe", "wrong", failed, "qmail-popup: client 192.0.2.1 user \"joe\": authorization failed: exit code 1\n"},
		{"fred", "secret", failed, "qmail-popup: client 192.0.2.1 user \"fred\": authorization failed: exit code 1\n"},
		{"fr\xe9d client 192.0.2.2", "x", failed, "qmail-popup: client 192.0.2.1 user \"fr\\xe9d client 192.0.2.2\": authorization failed: exit code 1\n"},
		{"ann", "secret", failed, "qmail-checkpassword: user \"ann\": account is locked or has no usable password: refused\n" +
			"qmail-popup: client 192.0.2.1 user \"ann\": authorization failed: exit code 1\n"},
		{"root", "secret", failed, "qmail-checkpassword: user \"root\": user or group number is 0: refused\n" +
			"qmail-popup: client 192.0.2.1 user \"root\": authorization failed: exit code 1\n"},
		{"mail@example.org", "open sesame", "-ERR this user has no $HOME/Maildir\r\n", "qmail-pop3d: no maildir: open Maildir: no such file or directory\n"},
		{"joe", strings.Repeat("x", 600), failed, "qmail-checkpassword: more than 512 bytes on descriptor 3: refused\n" +
			"qmail-popup: client 192.0.2.1 user \"joe\": authorization failed: exit code 1\n"},
		{"joe", strings.Repeat("x", 1200), "-ERR command line too long\r\n", ""},
	} {
		t.Run(fmt.Sprintf("%.30s %.10s", c.name, c.password), func(t *testing.T) {
			v := serve(t)
			p := dial(t)
			p.login(c.name, c.password)
			p.expect(c.want)
			if c.want != ok && !strings.Contains(c.want, "long") {
				p.end()
				s.Eventually("the log", func() bool { return v.Log() == c.log })
			}
		})
	}
}

// TestRoot: a wrong configuration does not serve a maildir as root.
func TestRoot(t *testing.T) {
	s := newSite(t)
	dir := s.Maildir("joe", "Maildir")
	r := s.Run(site.Command{Program: "qmail-pop3d", Args: []string{dir}, Stdin: strings.NewReader("STAT\r\n")})
	if r.Code != 1 || r.Stdout != "" || r.Stderr != "qmail-pop3d invoked as uid 0, terminating\n" {
		t.Errorf("%+v", r)
	}
}

// TestHostileMaildir: a user's fifos, links and devices cost the server nothing, and
// show nothing that is not the user's.
func TestHostileMaildir(t *testing.T) {
	s := newSite(t)
	dir := s.Maildir("joe", "Maildir")
	fill(t, dir, "joe", "mine\n")
	must(t, unix.Mkfifo(dir+"/new/0.fifo", 0o666))
	must(t, unix.Mkfifo(dir+"/tmp/0.fifo", 0o666))
	must(t, unix.Mknod(dir+"/new/0.zero", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))))
	must(t, os.Symlink("/etc/passwd", dir+"/new/0.link"))
	must(t, os.Symlink("/dev/zero", dir+"/cur/0.zero"))
	must(t, os.Symlink(".", dir+"/cur/0.loop"))
	must(t, os.Mkdir(dir+"/cur/0.directory", 0o777))
	serve(t)
	c := dial(t)
	c.login("joe", "secret")
	c.expect(ok)
	c.say("UIDL\r\nRETR 1\r\nQUIT\r\n")
	c.expect(ok + "1 1700000000.M1P1Q1.host\r\n.\r\n" + ok + "mine\r\n\r\n.\r\n" + ok)
	c.end()
}

// TestMemory: neither a message nor a line of it is kept in memory.
func TestMemory(t *testing.T) {
	s := newSite(t)
	dir := s.Maildir("joe", "Maildir")
	const size = 256 << 20
	fill(t, dir, "joe", "Subject: large\n\n")
	large := dir + "/new/1700000000.M1P1Q1.host"
	must(t, os.Truncate(large, size)) // one line of zeros
	must(t, os.Chtimes(large, time.Unix(1_700_000_000, 0), time.Unix(1_700_000_000, 0)))
	v := serve(t)
	c := dial(t)
	c.login("joe", "secret")
	c.expect(ok)
	c.say("RETR 1\r\nTOP 1 1\r\nQUIT\r\n")
	reply := int64(len(ok) + size + len("\r\r\r\n\r\n.\r\n")) // two line ends, and the last line's
	for range 2 {
		if n, err := io.CopyN(io.Discard, c.r, reply); n != reply {
			t.Fatal(n, err)
		}
	}
	c.expect(ok)
	c.end()
	s.Eventually("the end of the session", func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		return len(v.usage) == 1
	})
	if rss := v.usage[0].Maxrss << 10; rss > 40<<20 {
		t.Errorf("%d bytes", rss)
	}
}

// TestTwentyThousand: a large maildir is listed once and kept as one list.
func TestTwentyThousand(t *testing.T) {
	s := newSite(t)
	dir := s.Maildir("joe", "Maildir")
	fill(t, dir, "joe", make([]string, 20_000)...)
	v := serve(t)
	c := dial(t)
	c.login("joe", "secret")
	c.expect(ok)
	c.say("STAT\r\nUIDL\r\nLIST\r\nDELE 20000\r\nQUIT\r\n")
	c.expect("+OK 20000 0\r\n" + ok)
	var uidl, list bytes.Buffer
	for i := range 20_000 {
		fmt.Fprintf(&uidl, "%d %d.M1P1Q1.host\r\n", i+1, 1_700_000_000+i)
		fmt.Fprintf(&list, "%d 0\r\n", i+1)
	}
	c.expect(uidl.String() + ".\r\n" + ok + list.String() + ".\r\n" + ok + ok)
	c.end()
	if n, err := os.ReadDir(dir + "/cur"); len(n) != 19_999 {
		t.Error(len(n), err)
	}
	s.Eventually("the end of the session", func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		return len(v.usage) == 1
	})
	if rss := v.usage[0].Maxrss << 10; rss > 60<<20 {
		t.Errorf("%d bytes", rss)
	}
}

// poplib is Python's client.
const poplib = `
import poplib, sys
def session(login):
    p = poplib.POP3("127.0.0.1", 110, timeout=30)
    login(p)
    return p
p = session(lambda p: (p.user("joe"), p.pass_("secret")))
print(sorted(p.capa()))
print(p.stat(), p.list(), p.uidl())
print(p.retr(2), p.top(1, 0))
p.dele(1)
try:
    p.retr(1)
except poplib.error_proto as e:
    print("refused", e)
p.quit()
p = session(lambda p: p.apop("mail@example.org", "open sesame"))
print(p.stat())
p.quit()
for login in (lambda p: p.apop("joe", "secret"), lambda p: (p.user("joe"), p.pass_("x"))):
    try:
        session(login)
    except poplib.error_proto as e:
        print("refused", e)
`

func TestPoplib(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("needs python3, which is not installed")
	}
	s := newSite(t)
	dir := s.Maildir("joe", "Maildir")
	fill(t, dir, "joe", "Subject: one\n\n.\n", "Subject: two\n\n..\nlast")
	must(t, os.Mkdir(site.Account("joe").Home+"/mail", 0o755))
	fill(t, s.Maildir("joe", "mail/Maildir"), "joe", "Subject: three\n\n")
	serve(t, "POP3CAPA=1")
	out, err := exec.Command(python, "-c", poplib).CombinedOutput()
	const want = `['EXPIRE', 'IMPLEMENTATION', 'PIPELINING', 'TOP', 'UIDL', 'USER']
(2, 37) (b'+OK ', [b'1 16', b'2 21'], 12) (b'+OK ', [b'1 1700000000.M1P1Q1.host', b'2 1700000001.M1P1Q1.host'], 52)
(b'+OK ', [b'Subject: two', b'', b'..', b'last', b''], 28) (b'+OK ', [b'Subject: one', b'', b''], 18)
refused b'-ERR already deleted'
(1, 16)
refused b'-ERR authorization failed'
refused b'-ERR authorization failed'
`
	if string(out) != want || err != nil {
		t.Errorf("%v\n%s\nwant\n%s", err, out, want)
	}
	if got := names(t, dir); got != "cur/1700000001.M1P1Q1.host:2," {
		t.Error(got)
	}
}
