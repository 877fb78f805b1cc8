package spawn

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/integration/site"
)

// TestHarm: what a user does to his qmail-local does not reach others' mail, nor his
// own next message.
func TestHarm(t *testing.T) {
	const crashed = "Zqmail-local crashed.\n"
	for _, c := range []struct{ name, program, want string }{
		{"killed", "kill -9 $PPID; sleep 5", crashed},
		{"terminated", "kill $PPID; sleep 5", crashed},
		{"killed with all that he has", "kill -9 -1", crashed},
		{"aborted", "kill -ABRT $PPID; sleep 5", crashed},
		{"looked into", "cat /proc/$PPID/environ /proc/$PPID/mem 2>/dev/null; ls /proc/$PPID/fd 2>/dev/null; exit 0", "Kdid 0+0+1\n"},
		{"its socket opened", "for fd in 3 4 5 6 7 8; do (echo x >/proc/$PPID/fd/$fd) 2>/dev/null && echo opened; done; exit 0", "Kdid 0+0+1\n"},
		{"limited", "prlimit --pid $PPID --nofile=3; exit 0", "Kdid 0+0+1\n"},
		{"much printed", "head -c 100000 /dev/zero | tr '\\0' x", "K" + strings.Repeat("x", 2966) + "\nError report too long, sorry.\n"},
		{"signals blocked and ignored", "trap '' TERM INT PIPE; kill -PIPE $PPID; kill -USR1 $$; exit 1", crashed},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site.New(t)
			s.UserFile("joe", ".qmail", "#\n", 0o600)
			s.UserFile("joe", ".qmail-harm", "|"+c.program+"\n", 0o600)
			s.UserFile("ann", ".qmail", "|echo $PPID; read x < /mnt/home/ann/gate\n", 0o600)
			gate := "/mnt/home/ann/gate"
			must(t, syscall.Mkfifo(gate, 0o666))
			must(t, os.Chmod(gate, 0o666))
			y := start(t, s)
			ann := y.send("ann")
			harm := y.send("joe-harm")
			r := y.report()
			want := c.want
			if c.name == "signals blocked and ignored" { // PIPE does nothing; USR1 ends the shell
				want = "Z"
			}
			if r.Delivery != harm || r.Text != want && !(want == "Z" && strings.HasPrefix(r.Text, "Z")) {
				t.Errorf("%d %.200q, want %d %.200q", r.Delivery, r.Text, harm, want)
			}
			after := "Kdid 0+0+0\n"
			if c.name == "limited" { // no descriptor can be given to it
				after = "ZUnable to run qmail-local.\n"
			}
			if got := y.deliver("joe"); got != after {
				t.Errorf("afterwards: %q", got)
			}
			must(t, os.WriteFile(gate, []byte("go\n"), 0))
			if r := y.report(); r.Delivery != ann || !strings.HasSuffix(r.Text, "\ndid 0+0+1\n") {
				t.Errorf("ann: %d %q", r.Delivery, r.Text)
			}
			y.end()
		})
	}
}

// TestStopped: a user's stopped qmail-local holds up nobody else's mail, and what it
// had is a deferral once it is given up.
func TestStopped(t *testing.T) {
	s := site.New(t)
	s.UserFile("joe", ".qmail-stop", "|kill -STOP $PPID\n", 0o600)
	s.UserFile("ann", ".qmail", "#\n", 0o600)
	y := start(t, s)
	stopped := y.send("joe-stop")
	for range 10 {
		if got := y.deliver("ann"); got != "Kdid 0+0+0\n" {
			t.Errorf("ann: %q", got)
		}
	}
	// Killed, it is lost at once; the rest is the same when qmail-lspawn does it.
	s.Eventually("a stopped qmail-local", func() bool {
		for _, pid := range localProcesses() {
			if status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); strings.Contains(string(status), "T (stopped)") {
				return syscall.Kill(pid, syscall.SIGKILL) == nil
			}
		}
		return false
	})
	if r := y.report(); r.Delivery != stopped || r.Text != "Zqmail-local crashed.\n" {
		t.Errorf("%d %q", r.Delivery, r.Text)
	}
	y.end()
}

// TestGetpwDies: whoever kills qmail-getpw defers what it was asked, no more.
func TestGetpwDies(t *testing.T) {
	s := site.New(t)
	s.UserFile("joe", ".qmail", "#\n", 0o600)
	y := start(t, s)
	for range 3 {
		if got := y.deliver("joe"); got != "Kdid 0+0+0\n" {
			t.Errorf("%q", got)
		}
		for _, pid := range processes("bin/qmail-getpw") {
			must(t, syscall.Kill(pid, syscall.SIGKILL))
		}
	}
	y.end()
}

// TestAlone: without its qmail-lspawn no process stays.
func TestAlone(t *testing.T) {
	s := site.New(t)
	s.UserFile("joe", ".qmail", "#\n", 0o600)
	y := start(t, s)
	s.Eventually("processes that are kept", func() bool { // a slow start is given up
		y.deliver("joe")
		return len(localProcesses()) == 1 && len(processes("bin/qmail-getpw")) == 1
	})
	must(t, y.cmd.Process.Kill())
	s.Eventually("the kept processes to end", func() bool {
		return len(localProcesses())+len(processes("bin/qmail-getpw")) == 0
	})
}

// TestKills: while the kept processes are killed again and again, each delivery is
// reported once, and what was reported as a success is there.
func TestKills(t *testing.T) {
	s := site.New(t)
	for user := range site.Users {
		s.Maildir(user, "Maildir")
		s.UserFile(user, ".qmail", "./Maildir/\n", 0o600)
	}
	y := start(t, s)
	const n, atOnce = 1500, 20
	users := []string{"joe", "ann", "bob"}
	of := make(map[uint32]string) // by number of a delivery in flight
	done := make(map[string]int)
	sent, deferred := 0, 0
	send := func() {
		user := users[sent%len(users)]
		d := y.send(user)
		if of[d] != "" {
			t.Fatalf("number %d is in use", d)
		}
		of[d] = user
		sent++
	}
	for range atOnce {
		send()
	}
	for got := 1; got <= n; got++ {
		r := y.report()
		switch user := of[r.Delivery]; {
		case user == "":
			t.Fatalf("a report that nobody asked for: %d %q", r.Delivery, r.Text)
		case r.Text == "Kdid 1+0+0\n":
			done[user]++
		case strings.HasPrefix(r.Text, "Z") && strings.HasSuffix(r.Text, " crashed.\n"):
			deferred++
		default:
			t.Errorf("%s: %q", user, r.Text)
		}
		delete(of, r.Delivery)
		if got%40 == 0 {
			for _, pid := range append(localProcesses(), processes("bin/qmail-getpw")...) {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if sent < n {
			send()
		}
	}
	y.end()
	for _, user := range users {
		files := len(s.ReadDir("/mnt/home/" + user + "/Maildir/new"))
		if files < done[user] || files > done[user]+deferred {
			t.Errorf("%s: %d messages, %d of %d reported", user, files, done[user], n/len(users))
		}
	}
	if deferred == 0 || deferred == n {
		t.Errorf("%d of %d deferred", deferred, n)
	}
	if left := localProcesses(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}
