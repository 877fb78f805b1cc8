// Package accept runs the network servers as processes: on descriptors 0 and 1, as
// tcpserver starts them, and with listening sockets and many clients at once.
package accept

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"goqmail/internal/integration/site"
)

func TestMain(m *testing.M) { site.Main(m) }

// open is a site that accepts mail for a.test.
func open(t *testing.T) *site.Site {
	s := site.New(t)
	s.Control("rcpthosts", "a.test\n")
	return s
}

// serve starts qmail-smtpd as a server on 127.0.0.1, without names, and returns
// where it listens.
func serve(s *site.Site, options ...string) (*site.System, string) {
	y := s.Start(site.Command{Program: "qmail-smtpd", Args: append([]string{"-vHa127.0.0.1:0"}, options...)})
	return y, y.WaitLog(`^qmail-smtpd: listening on (\S+)$`)[1]
}

// A client is a client.
type client struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

const patience = 30 * time.Second

// connect connects, from an address of this machine if one is given.
func connect(t *testing.T, to string, from ...string) *client {
	t.Helper()
	d := net.Dialer{Timeout: patience}
	for _, a := range from {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(a)}
	}
	conn, err := d.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return &client{t, conn, bufio.NewReader(conn)}
}

// greeted connects and reads the greeting.
func greeted(t *testing.T, to string, from ...string) *client {
	t.Helper()
	c := connect(t, to, from...)
	c.want("220 host.example.org ESMTP")
	return c
}

func (c *client) send(lines ...string) {
	c.t.Helper()
	if _, err := c.conn.Write([]byte(strings.Join(lines, "\r\n") + "\r\n")); err != nil {
		c.t.Fatal(err)
	}
}

// want reads one line for each pattern.
func (c *client) want(patterns ...string) {
	c.t.Helper()
	for _, p := range patterns {
		line, err := c.r.ReadString('\n')
		if err != nil || !regexp.MustCompile("^"+p+"\r\n$").MatchString(line) {
			c.t.Fatalf("%q, %v instead of %q", line, err, p)
		}
	}
}

// end wants the connection to be closed by the server.
func (c *client) end() {
	c.t.Helper()
	if line, err := c.r.ReadString('\n'); err == nil || line != "" || os.IsTimeout(err) {
		c.t.Fatalf("%q, %v instead of the end", line, err)
	}
}

const queued = `250 ok \d+ qp \d+`

// mail sends a message.
func (c *client) mail(to string, text ...string) {
	c.t.Helper()
	c.send("MAIL FROM:<s@x.test>", "RCPT TO:<"+to+">")
	c.want("250 ok", "250 ok")
	c.send("DATA")
	c.want("354 go ahead")
	c.send(append(text, ".")...)
	c.want(queued)
}

// scanner makes a program for QMAILQUEUE that keeps its environment in a file.
func scanner(t *testing.T, s *site.Site) (program, environment string) {
	t.Helper()
	dir := filepath.Join(site.Home, "scan")
	os.RemoveAll(dir)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	program, environment = filepath.Join(dir, "scan"), filepath.Join(dir, "env")
	script := fmt.Sprintf("#!/bin/sh\nenv | sort >%s\ncat >/dev/null\ncat <&1 >/dev/null\n", environment)
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return program, environment
}

// rules compiles rules as an admin does.
func rules(t *testing.T, s *site.Site, text string) (path string) {
	t.Helper()
	program, err := exec.LookPath("tcprules")
	if err != nil {
		t.Skip("needs tcprules of ucspi-tcp")
	}
	path = filepath.Join(site.Home, "control", "tcp.smtp.cdb")
	cmd := exec.Command(program, path, path+".tmp")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tcprules: %v: %s", err, out)
	}
	os.Chmod(path, 0o644)
	return path
}

// writeScript puts a program in the place of a file.
func writeScript(t *testing.T, path, script string) {
	t.Helper()
	os.Remove(path)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
}
