package accept

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/integration/site"
)

// TestTwoSockets: every address that is given is listened on, and messages come in.
func TestTwoSockets(t *testing.T) {
	s := open(t)
	y := s.Start(site.Command{Program: "qmail-smtpd", Args: []string{"-vH", "-a", "127.0.0.1:2525", "-a[::]:25", "-a0.0.0.0:25"}})
	for _, a := range []string{`127\.0\.0\.1:2525`, `\[::\]:25`, `0\.0\.0\.0:25`} {
		y.WaitLog("^qmail-smtpd: listening on " + a + "$")
	}
	for i, a := range []string{"127.0.0.1:2525", "127.0.0.1:25", "127.0.0.2:25"} {
		c := greeted(t, a)
		c.send("EHLO client")
		c.want("250-host.example.org", "250-PIPELINING", "250 8BITMIME")
		c.mail("r@a.test", "Subject: x", "", "text", "..dot")
		c.mail("r@a.test", "second")
		c.send("RCPT TO:<r@b.test>")
		c.want("503 .*")
		c.send("MAIL FROM:<>", "RCPT TO:<r@b.test>", "QUIT")
		c.want("250 ok", "553 .*", "221 host.example.org")
		c.end()
		y.WaitLog(fmt.Sprintf("^qmail-smtpd: end %d status 0$", i+1))
	}
	if n := len(s.QueueFiles()); n != 6*3 {
		t.Errorf("%d files in the queue", n)
	}
	y.WaitLog(`^qmail-smtpd: status: 1/500$`)
	y.WaitLog(`^qmail-smtpd: pid 1 from 127\.0\.0\.1$`)
	y.WaitLog(`^qmail-smtpd: ok 3 host\.example\.org:127\.0\.0\.2:25 :127\.0\.0\.1::\d+$`)
	y.WaitLog(`^qmail-smtpd: status: 0/500$`)
}

func TestIPv6(t *testing.T) {
	s := open(t)
	y := s.Start(site.Command{Program: "qmail-smtpd", Args: []string{"-vHa:25"}})
	y.WaitLog(`^qmail-smtpd: listening on \[::\]:25$`)
	program, environment := scanner(t, s)
	y.Signal(syscall.SIGTERM)
	y.Wait()
	y = s.Start(site.Command{Program: "qmail-smtpd", Args: []string{"-vHa:25"}, Env: []string{"QMAILQUEUE=" + program}})
	y.WaitLog(`^qmail-smtpd: listening on \[::\]:25$`)
	for to, ip := range map[string]string{"[::1]:25": "::1", "127.0.0.1:25": "127.0.0.1"} {
		greeted(t, to).mail("r@a.test", "text")
		env := "\n" + s.Read(environment)
		for _, v := range []string{"PROTO=TCP", "TCPREMOTEIP=" + ip, "TCPLOCALIP=" + ip, "TCPLOCALPORT=25", "TCPLOCALHOST=host.example.org"} {
			if !strings.Contains(env, "\n"+v+"\n") {
				t.Errorf("%s: no %s in %s", to, v, env)
			}
		}
	}
}

// TestEnvironment: what the rules set is the connection's and reaches what takes
// the mail; what is of the process and not of the connection does not.
func TestEnvironment(t *testing.T) {
	s := open(t)
	program, environment := scanner(t, s)
	path := rules(t, s, `127.0.0.1:allow,RELAYCLIENT="@relayed",QMAILQUEUE="`+program+`",DATABYTES="20",MARK="x"
127.0.0.2:deny
127.0.0.3:allow
127.0.0.4:allow,RELAYCLIENT=""
:allow
`)
	y := s.Start(site.Command{Program: "qmail-smtpd", Args: []string{"-vHa127.0.0.1:0", "-x", path, "-lmx.test"},
		Env: []string{"KEPT=1", "TCPREMOTEHOST=old", "TCPREMOTEINFO=old", "PROTO=old", "MARK=old", "LISTEN_FDNAMES=old"}})
	a := y.WaitLog(`^qmail-smtpd: listening on (\S+)$`)[1]

	c := greeted(t, a)
	c.mail("r@b.test", "text")
	port := c.conn.LocalAddr().(*net.TCPAddr).Port
	want := fmt.Sprintf(`DATABYTES=20
KEPT=1
MARK=x
PROTO=TCP
QMAILQUEUE=%s
RELAYCLIENT=@relayed
TCPLOCALHOST=mx.test
TCPLOCALIP=127.0.0.1
TCPLOCALPORT=%s
TCPREMOTEIP=127.0.0.1
TCPREMOTEPORT=%d
`, program, strings.TrimPrefix(a, "127.0.0.1:"), port)
	got := ""
	for line := range strings.Lines(s.Read(environment)) {
		if !strings.HasPrefix(line, "PATH=") && !strings.HasPrefix(line, "PWD=") && !strings.HasPrefix(line, "_=") && !strings.HasPrefix(line, "GOCOVERDIR=") {
			got += line
		}
	}
	if got != want {
		t.Errorf("environment:\n%s\nwant\n%s", got, want)
	}
	c.send("MAIL FROM:<s@x.test>", "RCPT TO:<r@b.test>", "DATA", strings.Repeat("x", 40), ".")
	c.want("250 ok", "250 ok", "354 go ahead", "552 .*")

	connect(t, a, "127.0.0.2").end()
	y.WaitLog(`^qmail-smtpd: deny 2 mx\.test:127\.0\.0\.1:\d+ :127\.0\.0\.2::\d+$`)
	c = greeted(t, a, "127.0.0.3")
	c.send("MAIL FROM:<>", "RCPT TO:<r@b.test>")
	c.want("250 ok", "553 .*")
	c = greeted(t, a, "127.0.0.4")
	c.send("MAIL FROM:<>", "RCPT TO:<r@b.test>")
	c.want("250 ok", "250 ok")

	// The file is replaced under the running server.
	rules(t, s, "127.0.0.2:allow\n:deny\n")
	connect(t, a, "127.0.0.3").end()
	greeted(t, a, "127.0.0.2")
	os.Remove(path)
	c = connect(t, a, "127.0.0.2")
	c.want(`421 unable to read controls \(#4\.3\.0\)`)
	c.end()
	y.WaitLog(`^qmail-smtpd: warning: connection \d+: stat .*tcp\.smtp\.cdb: no such file`)
}

// TestNoRulesNeeded: with -X the file need not exist.
func TestNoRulesNeeded(t *testing.T) {
	s := open(t)
	_, a := serve(s, "-Xx/nowhere")
	greeted(t, a)
}

// TestPrivileges: a server that root has started is qmaild, in every thread, when
// the first client comes.
func TestPrivileges(t *testing.T) {
	s := open(t)
	y, a := serve(s)
	c := greeted(t, a)
	c.mail("r@a.test", "text")
	u := site.Account("qmaild")
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", y.Pid()))
	if len(files) == 0 {
		t.Fatal("no threads")
	}
	for _, f := range files {
		status := s.Read(f)
		for _, want := range []string{
			fmt.Sprintf("Uid:\t%d\t%[1]d\t%[1]d\t%[1]d\n", u.UID), fmt.Sprintf("Gid:\t%d\t%[1]d\t%[1]d\t%[1]d\n", u.GID),
			"Groups:\t \n", "CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n",
		} {
			if !strings.Contains(status, want) {
				t.Errorf("%s lacks %q:\n%s", f, want, status)
			}
		}
	}
	received := ""
	for _, f := range s.QueueFiles() {
		if strings.HasPrefix(f, "mess/") {
			received = s.Read(filepath.Join(site.Home, "queue", f))
		}
	}
	if !strings.Contains(received, " invoked from network);") {
		t.Error(received)
	}
}

// TestMayNotListen: who has no right to a port is told so.
func TestMayNotListen(t *testing.T) {
	s := open(t)
	y, a := serve(s)
	for _, c := range []struct {
		args []string
		as   string
		want string
		code int
	}{
		{[]string{"-a127.0.0.1:25"}, "qmaild", "qmail-smtpd: fatal: unable to listen on 127.0.0.1:25: permission denied\n", 111},
		{[]string{"-a" + a}, "", "qmail-smtpd: fatal: unable to listen on " + a + ": address already in use\n", 111},
		{[]string{"-a192.0.2.1:25"}, "", "qmail-smtpd: fatal: unable to listen on 192.0.2.1:25: cannot assign requested address\n", 111},
		{[]string{"-v"}, "", "qmail-smtpd: fatal: nothing to listen on: neither -a nor a listening socket from the service manager\n", 100},
		{[]string{"-c100000000", "-a127.0.0.1:0"}, "", "", 111},
	} {
		r := s.Run(site.Command{Program: "qmail-smtpd", Args: c.args, As: c.as})
		if r.Code != c.code || c.want != "" && r.Stderr != c.want || r.Stdout != "" {
			t.Errorf("%q: exit code %d, %q, %q", c.args, r.Code, r.Stderr, r.Stdout)
		}
	}
	greeted(t, a)
	y.WaitLog("^qmail-smtpd: ok 1 ")
}

func TestWrongOptions(t *testing.T) {
	s := open(t)
	for _, args := range []string{"-Z", "-a", "-a25", "-amx.test:25", "-a1.2.3:25", "-a127.0.0.1", "-a127.0.0.1:65536", "-c0", "-cx",
		"-i-1", "-n x", "-tx", "-w-1", "-y127.0.0.1/33", "-yx", "-a127.0.0.1:0 more", "-a127.0.0.1:0 -", "--help"} {
		r := s.Run(site.Command{Program: "qmail-smtpd", Args: strings.Fields(args)})
		if r.Code != 100 || !strings.HasPrefix(r.Stderr, "qmail-smtpd: usage: qmail-smtpd [ -a address:port ]") && !strings.Contains(r.Stderr, "nothing to listen on") || r.Stdout != "" {
			t.Errorf("%s: exit code %d, %q, %q", args, r.Code, r.Stderr, r.Stdout)
		}
	}
	for name, text := range map[string]string{"me": "", "rcpthosts": strings.Repeat("x", 70_000)} {
		s := open(t)
		if text == "" {
			os.Remove(filepath.Join(site.Home, "control", name))
		} else {
			s.Control(name, text)
		}
		r := s.Run(site.Command{Program: "qmail-smtpd", Args: []string{"-a127.0.0.1:0"}})
		if r.Code != 111 || !strings.HasPrefix(r.Stderr, "qmail-smtpd: fatal: unable to read controls: ") {
			t.Errorf("%s: exit code %d, %q", name, r.Code, r.Stderr)
		}
	}
}

// TestLimits: one connection too many is refused politely, and the next is fine
// when one has ended.
func TestLimits(t *testing.T) {
	s := open(t)
	_, a := serve(s, "-c6", "-i2", "-n3")
	for _, c := range []struct{ from, want string }{
		{"127.0.0.1", ""},
		{"127.0.0.1", ""},
		{"127.0.0.1", `421 too many connections from your address \(#4\.7\.0\)`},
		{"127.0.0.2", ""},
		{"127.0.0.2", `421 too many connections from your network \(#4\.7\.0\)`},
		{"127.0.0.3", `421 too many connections from your network \(#4\.7\.0\)`},
		{"127.0.1.1", ""},
		{"127.0.1.2", ""},
		{"127.0.2.1", ""},
		{"127.0.3.1", `421 too many connections, try again later \(#4\.3\.2\)`},
	} {
		if c.want == "" {
			greeted(t, a, c.from)
			continue
		}
		refused := connect(t, a, c.from)
		refused.want(c.want)
		refused.end()
	}
}

func TestLimitsLeave(t *testing.T) {
	s := open(t)
	y, a := serve(s, "-i1")
	for i := range 5 {
		c := greeted(t, a)
		refused := connect(t, a)
		refused.want("421 .*")
		refused.end()
		if i%2 == 0 {
			c.send("QUIT")
			c.want("221 .*")
			c.end()
		} else {
			c.conn.Close()
		}
		y.WaitLog(fmt.Sprintf("^qmail-smtpd: end %d ", 2*i+1))
	}
}

// TestLimitsOfRules: the rules may allow a client more, or less.
func TestLimitsOfRules(t *testing.T) {
	s := open(t)
	path := rules(t, s, `127.0.0.1:allow,MAXCONNIP="3"
127.0.0.2:allow,MAXCONNIP="1"
127.0.0.3:allow,MAXCONNIP="0",MAXCONNC="0"
:allow,MAXCONNIP="nonsense"
`)
	_, a := serve(s, "-i2", "-n5", "-x", path)
	for _, c := range []struct {
		from string
		may  int
	}{{"127.0.0.1", 3}, {"127.0.0.2", 1}, {"127.0.1.1", 2}, {"127.0.0.3", 20}} {
		for range c.may {
			greeted(t, a, c.from)
		}
		if c.from != "127.0.0.3" {
			connect(t, a, c.from).want("421 .*")
		}
	}
}
