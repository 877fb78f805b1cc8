package send

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/integration/site"
)

// start starts qmail-start by a shell that has done something else.
func start(s *site.Site, before, arguments string, env ...string) *site.System {
	return s.Start(site.Command{Program: "/bin/sh", Args: []string{"-c", before + "; exec " + arguments}, Env: env})
}

var qmailStart = site.Home + "/bin/qmail-start"

// TestStartSurroundings: what qmail-start was given reaches the programs in .qmail
// files.
func TestStartSurroundings(t *testing.T) {
	s := site.New(t)
	s.UserFile("joe", ".qmail", "|echo $COLOR $(ulimit -n) $(nice) $(umask) $HOME; exit 100\n", 0o600)
	y := start(s, "ulimit -n 500; umask 0", "nice -n 5 "+qmailStart+" ./Mailbox", "COLOR=blue")
	s.Queue("Subject: x\n\nbody\n", "", "joe@host.example.org")
	y.WaitLog(`^delivery 1: failure: blue_500_5_0077_/mnt/home/joe/$`)
	y.Stop()
}

// TestStartDescriptors: whichever of the first three descriptors are closed, the
// daemons get their pipes and nothing else.
func TestStartDescriptors(t *testing.T) {
	for _, closed := range []string{"", "<&-", "2>&-", "<&- 2>&-"} {
		for _, logger := range []string{"", " cat"} {
			t.Run(closed+logger, func(t *testing.T) {
				s := site.New(t)
				y := start(s, ":", qmailStart+" ./Mailbox"+logger+" "+closed)
				y.WaitLog(`^status: local 0/10 remote 0/20$`)
				s.Queue("Subject: x\n\nbody\n", "se@x", "joe@host.example.org")
				y.WaitLog(`^delivery 1: success: did_1\+0\+0/$`)
				for fd := 1; fd <= 6; fd++ {
					to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", y.Pid(), fd))
					if err != nil || !strings.HasPrefix(to, "pipe:") {
						t.Errorf("descriptor %d of qmail-send is %s, %v", fd, to, err)
					}
				}
				y.Stop()
			})
		}
	}
}

// TestStartLogger: the logger is another user, and its end is not that of the mail.
func TestStartLogger(t *testing.T) {
	s := site.New(t)
	y := start(s, ":", qmailStart+` ./Mailbox sh -c 'echo $(id -un) $(id -gn) $(id -G | wc -w) at $(pwd) with $(ls /proc/self/fd | wc -l); exec cat'`)
	qmaill, nofiles := site.Account("qmaill"), "nofiles"
	y.WaitLog("^" + qmaill.Name + " " + nofiles + " 1 at / with ")
	y.WaitLog(`^status: local 0/10 remote 0/20$`)
	y.Stop()
}

// TestStartFails: where something is missing it is told, and nothing is left running.
func TestStartFails(t *testing.T) {
	for _, c := range []struct {
		name      string
		away      string
		arguments string
	}{
		{"no logger", "", " ./Mailbox no-such-logger"},
		{"a logger that cannot be run", "", " ./Mailbox /etc/passwd"},
		{"no qmail-lspawn", "bin/qmail-lspawn", " ./Mailbox"},
		{"no qmail-clean", "bin/qmail-clean", " ./Mailbox"},
		{"no qmail-send", "bin/qmail-send", " ./Mailbox cat"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site.New(t)
			if c.away != "" {
				path := filepath.Join(site.Home, c.away)
				must(t, os.Rename(path, path+".away"))
				t.Cleanup(func() { os.Rename(path+".away", path) })
			}
			r := s.Run(site.Command{Program: "/bin/sh", Args: []string{"-c", qmailStart + c.arguments}})
			if r.Code != 111 || r.Stdout != "" || !strings.HasPrefix(r.Stderr, "qmail-start: fatal: unable to ") {
				t.Errorf("exit code %d, %q %q", r.Code, r.Stdout, r.Stderr)
			}
			s.Eventually("the end of all daemons", func() bool {
				found, _ := filepath.Glob("/proc/[0-9]*/exe")
				for _, exe := range found {
					if to, _ := os.Readlink(exe); strings.HasPrefix(to, site.Home) {
						return false
					}
				}
				return true
			})
		})
	}
}

// TestStartWide: numbers are wide where they must be and can be.
func TestStartWide(t *testing.T) {
	for _, c := range []struct {
		name, limit, concurrency, wrapped string
		command, status                   string
	}{
		{"as ever", "", "", "", "qmail-send", "local 0/10 remote 0/20"},
		{"more than one byte can say", "3000\n", "2000\n", "", "qmail-send wide", "local 0/10 remote 0/2000"},
		{"as many as one byte can say", "255\n", "2000\n", "", "qmail-send", "local 0/10 remote 0/255"},
		{"a wrapper", "3000\n", "2000\n", "qmail-rspawn", "qmail-send", "local 0/10 remote 0/255"},
		{"more than there can be", "99999\n", "99999\n", "", "qmail-send wide", `local 0/10 remote 0/\d{4,5}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site.New(t)
			if c.limit != "" {
				s.Control("spawnlimit", c.limit)
				s.Control("concurrencyremote", c.concurrency)
			}
			if c.wrapped != "" {
				path := filepath.Join(site.Home, "bin", c.wrapped)
				must(t, os.Rename(path, path+".real"))
				t.Cleanup(func() { os.Remove(path); os.Rename(path+".real", path) })
				must(t, os.WriteFile(path, []byte("#!/bin/sh\nexec "+path+".real \"$@\"\n"), 0o755))
			}
			y := start(s, ":", qmailStart+" ./Mailbox")
			y.WaitLog("^status: " + c.status + "$")
			command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", y.Pid()))
			if got := strings.TrimRight(strings.ReplaceAll(string(command), "\x00", " "), " "); err != nil || got != c.command {
				t.Errorf("%q, %v", got, err)
			}
			s.Queue("Subject: x\n\nbody\n", "se@x", "joe@host.example.org")
			y.WaitLog(`^delivery 1: success: did_1\+0\+0/$`)
			y.Stop()
		})
	}
}
