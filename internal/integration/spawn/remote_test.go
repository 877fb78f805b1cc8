package spawn

import (
	"bufio"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"goqmail/internal/integration/site"
)

// A sink is an SMTP server that takes every message.
type sink struct {
	mu          sync.Mutex
	connections int
	messages    []string
	hold        chan struct{} // not nil: the answer to a message waits for it
}

// startSink makes a sink, and sends all mail for other hosts there.
func startSink(t *testing.T, s *site.Site) *sink {
	t.Helper()
	k := new(sink)
	s.Control("smtproutes", ":"+site.Listen(t, "127.0.0.2:0", k.talk).Addr().String()+"\n")
	return k
}

func (k *sink) talk(conn net.Conn) {
	k.mu.Lock()
	k.connections++
	k.mu.Unlock()
	r := bufio.NewReader(conn)
	io.WriteString(conn, "220 sink ESMTP\r\n")
	for {
		line, err := r.ReadString('\n')
		switch {
		case err != nil:
			return
		case strings.HasPrefix(line, "EHLO"):
			io.WriteString(conn, "250-sink\r\n250 PIPELINING\r\n")
			continue
		case strings.HasPrefix(line, "DATA"):
			io.WriteString(conn, "354 go on\r\n")
			text := ""
			for line = ""; line != ".\r\n"; text += line {
				if line, err = r.ReadString('\n'); err != nil {
					return
				}
			}
			k.mu.Lock()
			k.messages = append(k.messages, text)
			hold := k.hold
			k.mu.Unlock()
			if hold != nil {
				<-hold
			}
		}
		io.WriteString(conn, "250 ok\r\n")
	}
}

func (k *sink) counts() (connections, messages int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.connections, len(k.messages)
}

func startRemote(t *testing.T, s *site.Site, env ...string) *system {
	t.Helper()
	return startSpawner(t, s, "PATH="+site.Home+"/bin:$PATH exec "+site.Home+"/bin/qmail-rspawn", env...)
}

func remoteProcesses() []int { return processes("qmail-remote") }

const taken = "K127.0.0.2 accepted message.\nRemote host said: 250 ok\n"

// TestRemoteKept: deliveries share a qmail-remote and its connection; not so where
// residence is switched off.
func TestRemoteKept(t *testing.T) {
	s := site.New(t)
	for _, c := range []struct {
		name                   string
		residence              string
		connections, processes int
	}{{"on", "1\n", 1, 1}, {"off", "0\n", 3, 0}} {
		t.Run(c.name, func(t *testing.T) {
			k := startSink(t, s)
			s.Control("residence", c.residence)
			y := startRemote(t, s)
			for range 3 {
				if got := y.deliver("joe"); got != taken {
					t.Errorf("%q", got)
				}
			}
			if n := len(remoteProcesses()); n != c.processes {
				t.Errorf("%d processes", n)
			}
			y.end()
			if connections, messages := k.counts(); connections != c.connections || messages != 3 || k.messages[2] != "Subject: x\r\n\r\nthe message\r\n.\r\n" {
				t.Errorf("%d connections, %q", connections, k.messages)
			}
			if left := remoteProcesses(); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// TestRemoteKilled: what a killed qmail-remote had is tried again later.
func TestRemoteKilled(t *testing.T) {
	s := site.New(t)
	k := startSink(t, s)
	k.hold = make(chan struct{})
	y := startRemote(t, s)
	const some = 5
	for range some {
		y.send("joe")
	}
	s.Eventually("the sink has the messages", func() bool { _, messages := k.counts(); return messages == some })
	for _, pid := range remoteProcesses() {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	for range some {
		if got := y.report().Text; got != "Zqmail-remote crashed.\n" {
			t.Errorf("%q", got)
		}
	}
	close(k.hold)
	for range 2 {
		if got := y.deliver("joe"); got != taken {
			t.Errorf("after that: %q", got)
		}
	}
	y.end()
}

// TestScriptForRemote: a script in the place of qmail-remote sees every message from the
// moment it is there, and so does one that the environment names.
func TestScriptForRemote(t *testing.T) {
	s := site.New(t)
	k := startSink(t, s)
	program := site.Home + "/bin/qmail-remote"
	y := startRemote(t, s)
	if got := y.deliver("joe"); got != taken {
		t.Errorf("%q", got)
	}
	must(t, os.Rename(program, program+".real"))
	defer os.Rename(program+".real", program)
	const script = "#!/bin/sh\n{ echo Signed: yes; cat; } | qmail-remote.real \"$@\"\n"
	must(t, os.WriteFile(program, []byte(script), 0o755))
	for range 2 {
		if got := y.deliver("joe"); got != taken {
			t.Errorf("with a script: %q", got)
		}
	}
	y.end()
	signer := filepath.Join(site.Home, "bin/signer")
	must(t, os.WriteFile(signer, []byte(script), 0o755))
	defer os.Remove(signer)
	y = startRemote(t, s, "QMAILREMOTE=signer")
	if got := y.deliver("joe"); got != taken || len(remoteProcesses()) != 0 {
		t.Errorf("named: %q, processes %v", got, remoteProcesses())
	}
	y.end()
	signed := 0
	for _, text := range k.messages {
		if strings.HasPrefix(text, "Signed: yes\r\nSubject: x\r\n") {
			signed++
		}
	}
	if len(k.messages) != 4 || signed != 3 {
		t.Errorf("%q", k.messages)
	}
}
