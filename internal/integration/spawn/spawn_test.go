// Package spawn runs qmail-lspawn as qmail-send does, with users who do to their
// qmail-local whatever they can: they kill it, stop it, look into it, and keep its
// descriptors. Each harms only his own mail. It also runs qmail-rspawn, with a qmail-remote
// that is kept open, killed, and replaced.
package spawn

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"goqmail/internal/integration/site"
	"goqmail/internal/wire/spawn"
)

func TestMain(m *testing.M) { site.Main(m) }

// patience is how long a report may take.
const patience = 30 * time.Second

// A system is a running spawner, with a message in the queue.
type system struct {
	*site.Site
	t       *testing.T
	cmd     *exec.Cmd
	in, out *os.File
	reports *spawn.Reports
	limit   uint32
	next    uint32
}

const message = "7/100"

// start starts qmail-lspawn.
func start(t *testing.T, s *site.Site, env ...string) *system {
	t.Helper()
	return startAfter(t, s, ":", env...)
}

// startAfter starts qmail-lspawn from a shell that has done something else.
func startAfter(t *testing.T, s *site.Site, before string, env ...string) *system {
	t.Helper()
	return startSpawner(t, s, before+"; exec "+site.Home+"/bin/qmail-lspawn ./Mailbox", env...)
}

// startSpawner starts a spawner by a shell.
func startSpawner(t *testing.T, s *site.Site, script string, env ...string) *system {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(site.Home, "queue/mess", message), []byte("Subject: x\n\nthe message\n"), 0o644))
	must(t, os.Chown(filepath.Join(site.Home, "queue/mess", message), int(site.Account("qmailq").UID), 0))
	y := &system{Site: s, t: t, cmd: exec.Command("/bin/sh", "-c", script)}
	theirIn, in, err := os.Pipe()
	must(t, err)
	out, theirOut, err := os.Pipe()
	must(t, err)
	y.in, y.out = in, out
	y.cmd.Stdin, y.cmd.Stdout, y.cmd.Stderr = theirIn, theirOut, os.Stderr
	y.cmd.Env = append([]string{"PATH=/usr/bin:/bin"}, env...)
	if dir := os.Getenv("GOCOVERDIR"); dir != "" {
		y.cmd.Env = append(y.cmd.Env, "GOCOVERDIR="+dir)
	}
	must(t, y.cmd.Start())
	theirIn.Close()
	theirOut.Close()
	t.Cleanup(func() {
		y.in.Close()
		y.cmd.Process.Kill()
		y.cmd.Wait()
		y.out.Close()
	})
	y.reports = spawn.NewReports(bufio.NewReader(out), spawn.Classic)
	out.SetReadDeadline(time.Now().Add(patience))
	y.limit, err = y.reports.Limit()
	must(t, err)
	return y
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// send asks for a delivery, and returns its number.
func (y *system) send(local string) uint32 {
	y.t.Helper()
	d := y.next
	y.next = (y.next + 1) % y.limit
	_, err := y.in.Write(spawn.Command{Delivery: d, Message: message, Sender: "s@x", Recipient: local + "@h.example"}.Append(nil, spawn.Classic))
	must(y.t, err)
	return d
}

// report waits for the next report.
func (y *system) report() spawn.Report {
	y.t.Helper()
	y.out.SetReadDeadline(time.Now().Add(patience))
	r, err := y.reports.Next()
	must(y.t, err)
	return r
}

// deliver delivers a message, with no other in flight.
func (y *system) deliver(local string) string {
	y.t.Helper()
	d := y.send(local)
	r := y.report()
	if r.Delivery != d {
		y.t.Fatalf("report %d, not %d", r.Delivery, d)
	}
	return r.Text
}

// end closes the pipe of commands, and wants the spawner to end well.
func (y *system) end() {
	y.t.Helper()
	y.in.Close()
	done := make(chan error)
	go func() { done <- y.cmd.Wait() }()
	select {
	case err := <-done:
		must(y.t, err)
	case <-time.After(patience):
		y.t.Fatal("the spawner does not end")
	}
}

// processes lists the numbers of those whose command line begins with a program.
func processes(program string) (pids []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		line, _ := os.ReadFile(dir + "/cmdline")
		if name, _, _ := strings.Cut(string(line), "\x00"); name == program {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			pids = append(pids, pid)
		}
	}
	return pids
}

func localProcesses() []int { return processes("bin/qmail-local") }

// parent is a .qmail file that tells the number of the qmail-local.
const parent = "|echo $PPID\n"

// parentOf reads the report of a delivery to such a file.
func (y *system) parentOf(local string) string {
	y.t.Helper()
	pid, rest, _ := strings.Cut(y.deliver(local), "\n")
	if rest != "did 0+0+1\n" || pid[0] != 'K' {
		y.t.Fatalf("%q %q", pid, rest)
	}
	return pid[1:]
}

// TestKept: a user's deliveries are done by one process, another user's by another;
// not so where residence is switched off, or another program is named.
func TestKept(t *testing.T) {
	s := site.New(t)
	for user := range site.Users {
		s.UserFile(user, ".qmail", parent, 0o600)
		s.UserFile(user, ".qmail-who", "|echo $(id -u) $(id -g) $(id -G) $(umask) $(pwd)\n|ls -x /proc/self/fd\n", 0o600)
	}
	t.Run("on", func(t *testing.T) {
		y := startAfter(t, s, "exec 5</dev/zero 9>/dev/full")
		joe, ann := y.parentOf("joe"), y.parentOf("ann")
		if joe == ann {
			t.Error("one process for two users")
		}
		if joe != y.parentOf("joe") || ann != y.parentOf("ann") {
			t.Error("not the same process again")
		}
		for user, n := range site.Users {
			// ls has one descriptor for the directory
			want := fmt.Sprintf("K%d %d %d 0077 /mnt/home/%s\n0  1  2  3\ndid 0+0+2\n", n, n, n, user)
			if got := y.deliver(user + "-who"); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		if n := len(localProcesses()); n != len(site.Users) {
			t.Errorf("%d processes", n)
		}
		y.end()
		if left := append(localProcesses(), processes("bin/qmail-getpw")...); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
	})
	t.Run("off", func(t *testing.T) {
		s.Control("residence", "0\n")
		defer os.Remove(site.Home + "/control/residence")
		y := start(t, s)
		first, second := y.parentOf("joe"), y.parentOf("joe")
		if first == second || len(localProcesses()) != 0 || len(processes("bin/qmail-getpw")) != 0 {
			t.Error("a process is kept")
		}
		y.end()
	})
	t.Run("another program", func(t *testing.T) {
		y := start(t, s, "QMAILLOCAL=/bin/echo")
		if got := y.deliver("joe-x"); got != "K-- joe /mnt/home/joe joe-x - x h.example s@x ./Mailbox\n" {
			t.Errorf("%q", got)
		}
		y.end()
	})
}

// TestReplaced: a program in the place of qmail-local takes effect with the next
// message, and so does its return.
func TestReplaced(t *testing.T) {
	s := site.New(t)
	s.UserFile("joe", ".qmail", parent, 0o600)
	y := start(t, s)
	before := y.parentOf("joe")
	real := site.Home + "/bin/qmail-local"
	must(t, os.Rename(real, real+".real"))
	defer os.Rename(real+".real", real)
	if got := y.deliver("joe"); got != "ZUnable to run qmail-local.\n" {
		t.Errorf("without qmail-local: %q", got)
	}
	must(t, os.WriteFile(real, []byte("#!/bin/sh\necho signed by $(id -u)\nexec bin/qmail-local.real \"$@\"\n"), 0o755))
	for range 2 {
		if got := y.deliver("joe"); !strings.HasPrefix(got, fmt.Sprintf("Ksigned by %d\n", site.Users["joe"])) {
			t.Errorf("a wrapper: %q", got)
		}
	}
	must(t, os.Rename(real+".real", real))
	after := y.parentOf("joe")
	if after == before || after != y.parentOf("joe") {
		t.Errorf("processes %s, then %s", before, after)
	}
	y.end()
}
