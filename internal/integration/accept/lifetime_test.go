package accept

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/integration/site"
)

const goingDown = `421 going down, try again later \(#4\.3\.2\)`

// TestStop: after TERM nobody new is served, who is idle goes at once, who is in
// the middle of a message finishes it, and then the program ends.
func TestStop(t *testing.T) {
	s := open(t)
	y, a := serve(s)
	idle, mailing, sending := greeted(t, a), greeted(t, a), greeted(t, a)
	mailing.send("MAIL FROM:<s@x.test>")
	mailing.want("250 ok")
	sending.send("MAIL FROM:<s@x.test>", "RCPT TO:<r@a.test>", "DATA")
	sending.want("250 ok", "250 ok", "354 go ahead")
	sending.send("first line")
	y.Signal(syscall.SIGTERM)
	idle.want(goingDown)
	idle.end()
	y.WaitLog(`^qmail-smtpd: end 1 status 256: the server is to stop$`)
	if conn, err := net.Dial("tcp", a); err == nil {
		t.Error("still listening")
		conn.Close()
	}
	mailing.send("RCPT TO:<r@a.test>")
	mailing.want("250 ok")
	mailing.send("DATA")
	mailing.want("354 go ahead")
	mailing.send(".")
	mailing.want(queued, goingDown)
	mailing.end()
	sending.send("last line", ".", "MAIL FROM:<>")
	sending.want(queued, goingDown)
	sending.end()
	if code := y.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	y.WaitLog(`^qmail-smtpd: stopped$`)
	if n := len(s.QueueFiles()); n != 2*3 {
		t.Errorf("%d files in the queue", n)
	}
}

func TestStopWithoutClients(t *testing.T) {
	s := open(t)
	y, a := serve(s)
	c := greeted(t, a)
	c.send("QUIT")
	c.want("221 .*")
	c.end()
	y.WaitLog(`^qmail-smtpd: end 1 `)
	y.Signal(syscall.SIGTERM)
	if code := y.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestCut: a second TERM, or the time, ends what is in progress; nothing of that
// is accepted.
func TestCut(t *testing.T) {
	for _, grace := range []string{"0", "1000"} {
		s := open(t)
		y, a := serve(s, "-w", grace)
		c := greeted(t, a)
		c.send("MAIL FROM:<s@x.test>", "RCPT TO:<r@a.test>", "DATA", strings.Repeat("x", 100_000))
		c.want("250 ok", "250 ok", "354 go ahead")
		s.Eventually("a message on its way", func() bool { return len(s.QueueFiles()) > 0 })
		y.Signal(syscall.SIGTERM)
		if grace != "0" {
			y.WaitLog(`^qmail-smtpd: stopping: 1 connections$`)
			y.Signal(syscall.SIGTERM)
		}
		y.WaitLog(`^qmail-smtpd: warning: stopped with 1 connections still open$`)
		if code := y.Wait(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		c.end()
		s.Eventually("an empty queue", func() bool { return len(s.QueueFiles()) == 0 })
	}
}

// TestControls: control files count from the next connection on, at once and after
// HUP; while they cannot be read nobody is served.
func TestControls(t *testing.T) {
	s := open(t)
	y, a := serve(s)
	old := greeted(t, a)
	refused := func(c *client, to string) bool {
		c.send("RSET", "MAIL FROM:<>", "RCPT TO:<"+to+">")
		c.want("250 flushed", "250 ok")
		line, _ := c.r.ReadString('\n')
		return strings.HasPrefix(line, "553")
	}
	s.Control("rcpthosts", "b.test\n")
	if c := greeted(t, a); refused(c, "r@b.test") || !refused(c, "r@a.test") {
		t.Error("a new connection goes by the old file")
	}
	if refused(old, "r@a.test") || !refused(old, "r@b.test") {
		t.Error("an old connection goes by the new file")
	}
	s.Control("smtpgreeting", "new.example.org hello\n")
	y.Signal(syscall.SIGHUP)
	y.WaitLog(`^qmail-smtpd: rereading controls$`)
	c := connect(t, a)
	c.want("220 new.example.org hello ESMTP")

	me := filepath.Join(site.Home, "control", "databytes")
	if err := os.Mkdir(me, 0o755); err != nil {
		t.Fatal(err)
	}
	c = connect(t, a)
	c.want(`421 unable to read controls \(#4\.3\.0\)`)
	c.end()
	y.WaitLog(`^qmail-smtpd: warning: connection \d+: unable to read controls: unable to read .*databytes`)
	os.Remove(me)
	connect(t, a).want("220 new.example.org hello ESMTP")
	if refused(old, "r@a.test") {
		t.Error("an old connection was disturbed")
	}
}

// listener opens a socket as a service manager would.
func listener(t *testing.T, address string) (*os.File, string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, l.Addr().String()
}

// activated starts qmail-smtpd as systemd does with Accept=no, which knows the
// number of the process.
func activated(files int, options string) site.Command {
	return site.Command{Program: "/bin/sh", As: "qmaild",
		Args: []string{"-c", fmt.Sprintf("LISTEN_PID=$$ LISTEN_FDS=%d LISTEN_FDNAMES=smtp exec %s/bin/qmail-smtpd %s", files, site.Home, options)}}
}

// TestActivation: sockets of a service manager are served, without options as well.
func TestActivation(t *testing.T) {
	s := open(t)
	one, a := listener(t, "127.0.0.1:25")
	two, b := listener(t, "[::1]:2525")
	c := activated(2, "")
	c.Files = []*os.File{one, two}
	s.Control("me", "host.example.org\n")
	s.Start(c)
	greeted(t, a).mail("r@a.test", "text")
	greeted(t, b).mail("r@a.test", "text")
	if n := len(s.QueueFiles()); n != 2*3 {
		t.Errorf("%d files in the queue", n)
	}
}

// TestActivationAndAddress: both may be there.
func TestActivationAndAddress(t *testing.T) {
	s := open(t)
	one, a := listener(t, "127.0.0.1:25")
	c := activated(1, "-vHa127.0.0.1:2525")
	c.Files = []*os.File{one}
	y := s.Start(c)
	y.WaitLog(`^qmail-smtpd: listening on 127\.0\.0\.1:25$`)
	y.WaitLog(`^qmail-smtpd: listening on 127\.0\.0\.1:2525$`)
	greeted(t, a)
	greeted(t, "127.0.0.1:2525")
}

// TestInetdWait: the listening socket may be descriptor 0.
func TestInetdWait(t *testing.T) {
	s := open(t)
	one, a := listener(t, "127.0.0.1:25")
	s.Start(site.Command{Program: "qmail-smtpd", As: "qmaild", Stdin: one})
	greeted(t, a).mail("r@a.test", "text")
}

// TestOneClient: without options, and with descriptors or an environment that are
// not for it, the program serves the client on descriptors 0 and 1.
func TestOneClient(t *testing.T) {
	s := open(t)
	one, _ := listener(t, "127.0.0.1:25")
	connected, err := net.Dial("tcp", one2addr(t, one))
	if err != nil {
		t.Fatal(err)
	}
	defer connected.Close()
	file, err := connected.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for name, c := range map[string]site.Command{
		"plain":                 {Program: "qmail-smtpd"},
		"arguments":             {Program: "qmail-smtpd", Args: []string{"mx.test", "/bin/checkpassword", "-a"}},
		"another process":       {Program: "qmail-smtpd", Env: []string{"LISTEN_PID=1", "LISTEN_FDS=1"}, Files: []*os.File{one}},
		"no number":             {Program: "qmail-smtpd", Env: []string{"LISTEN_PID=x", "LISTEN_FDS=1"}, Files: []*os.File{one}},
		"systemd, Accept=yes":   {Program: "/bin/sh", Args: activated(1, "").Args, Files: []*os.File{file}},
		"descriptor not passed": {Program: "/bin/sh", Args: activated(3, "").Args},
	} {
		c.Stdin = strings.NewReader("QUIT\r\n")
		r := s.Run(c)
		if r.Code != 0 || r.Stdout != "220 host.example.org ESMTP\r\n221 host.example.org\r\n" || r.Stderr != "" {
			t.Errorf("%s: exit code %d, %q, %q", name, r.Code, r.Stdout, r.Stderr)
		}
	}
}

func one2addr(t *testing.T, f *os.File) string {
	t.Helper()
	l, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestWrongActivation: some sockets of several, or sockets of another kind, are a
// mistake that is told.
func TestWrongActivation(t *testing.T) {
	s := open(t)
	one, _ := listener(t, "127.0.0.1:25")
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	unix, err := l.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	for want, files := range map[string][]*os.File{
		"of 2 descriptors passed only 1 are listening sockets": {one, null},
		"unable to listen on descriptor 3: not a TCP socket":   {unix},
	} {
		c := activated(len(files), "")
		c.Files = files
		if r := s.Run(c); r.Code != 111 || r.Stderr != "qmail-smtpd: fatal: "+want+"\n" || r.Stdout != "" {
			t.Errorf("exit code %d, %q, %q, want %q", r.Code, r.Stderr, r.Stdout, want)
		}
	}
}

// TestProxy: a header tells who the client is, from stated networks only.
func TestProxy(t *testing.T) {
	s := open(t)
	path := rules(t, s, "192.0.2.1:allow,RELAYCLIENT=\"\"\n192.0.2.2:deny\n:allow\n")
	y, a := serve(s, "-y127.0.0.2/31", "-i1", "-x", path)
	v2 := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x03\xc6\x33\x64\x02\x10\xd8\x00\x19"
	for _, c := range []struct{ from, header, want string }{
		{"127.0.0.2", "PROXY TCP4 192.0.2.1 198.51.100.2 4312 25\r\n", "relayed"},
		{"127.0.0.2", "PROXY TCP4 192.0.2.1 198.51.100.2 4313 25\r\n", "421"},
		{"127.0.0.3", "PROXY TCP4 192.0.2.2 198.51.100.2 4314 25\r\n", "closed"},
		{"127.0.0.3", v2, "served"},
		{"127.0.0.3", "PROXY UNKNOWN\r\n", "served"},
		{"127.0.0.2", "EHLO client\r\n", "closed"},
		{"127.0.0.2", "", "closed"},
		{"127.0.0.1", "PROXY TCP4 192.0.2.1 198.51.100.2 4312 25\r\n", "502"},
	} {
		k := connect(t, a, c.from)
		io.WriteString(k.conn, c.header)
		if c.header == "" {
			k.conn.(*net.TCPConn).CloseWrite()
		} else if c.want == "served" || c.want == "relayed" {
			k.send("MAIL FROM:<>", "RCPT TO:<r@b.test>") // right behind the header
		}
		switch c.want {
		case "relayed":
			k.want("220 .*", "250 ok", "250 ok")
		case "served":
			k.want("220 .*", "250 ok", "553 .*")
		case "421":
			k.want("421 .*")
		case "502":
			k.want("220 .*", "502 .*")
		case "closed":
			k.end()
		}
	}
	y.WaitLog(`^qmail-smtpd: ok 1 host\.example\.org:198\.51\.100\.2:25 :192\.0\.2\.1::4312$`)
	y.WaitLog(`^qmail-smtpd: ok 4 host\.example\.org:198\.51\.100\.2:25 :192\.0\.2\.3::4312$`)
	y.WaitLog(`^qmail-smtpd: ok 5 host\.example\.org:127\.0\.0\.1:\d+ :127\.0\.0\.3::\d+$`)
	y.WaitLog(`^qmail-smtpd: warning: connection 6: from 127\.0\.0\.2, which is to send a PROXY header: malformed PROXY header$`)
}

// TestQMTPAndQMQP: the same server speaks the other protocols.
func TestQMTPAndQMQP(t *testing.T) {
	s := open(t)
	for program, dialog := range map[string][2]string{
		"qmail-qmtpd": {"5:\ntext,8:s@x.test,11:8:r@a.test,,", `\d+:Kok \d+ qp \d+,`},
		"qmail-qmqpd": {"30:5:text\n,8:s@x.test,8:r@a.test,,", `\d+:Kok \d+ qp \d+,`},
	} {
		y := s.Start(site.Command{Program: program, Args: []string{"-vHi1", "-a127.0.0.1:0"}})
		a := y.WaitLog(`^` + program + `: listening on (\S+)$`)[1]
		if warned := strings.Contains(y.Log(), "this host is an open relay"); warned != (program == "qmail-qmqpd") {
			t.Errorf("%s: %s", program, y.Log())
		}
		c := connect(t, a)
		y.WaitLog(`^` + program + `: ok 1 `)
		connect(t, a).end() // one too many, and no words for it
		io.WriteString(c.conn, dialog[0])
		c.conn.(*net.TCPConn).CloseWrite()
		answer, err := io.ReadAll(c.r)
		if err != nil || !strings.Contains(string(answer), ":Kok ") {
			t.Errorf("%s: %q, %v", program, answer, err)
		}
		y.WaitLog(`^` + program + `: end 1 status 0$`)
		idle := connect(t, a)
		y.WaitLog(`^` + program + `: ok 3 `)
		y.Signal(syscall.SIGTERM)
		idle.end()
		if code := y.Wait(); code != 0 {
			t.Errorf("%s: exit code %d", program, code)
		}
	}
	if n := len(s.QueueFiles()); n != 2*3 {
		t.Errorf("%d files in the queue", n)
	}
}

// TestSystemd has the socket opened and passed by a program of systemd.
func TestSystemd(t *testing.T) {
	program, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Skip("needs systemd-socket-activate")
	}
	s := open(t)
	s.Start(site.Command{Program: program, Args: []string{"-l", "127.0.0.1:25", "-l", "127.0.0.1:2525", site.Home + "/bin/qmail-smtpd", "-vH"}})
	s.Eventually("a listening socket", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:2525")
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	greeted(t, "127.0.0.1:25").mail("r@a.test", "text")
	greeted(t, "127.0.0.1:2525").mail("r@a.test", "text")
}
