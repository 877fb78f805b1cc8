// Package spawn runs qmail-lspawn as qmail-send does, with users who do to their
// qmail-local whatever they can: they kill it, stop it, look into it, and keep its
// descriptors. Each harms only his own mail. It also runs qmail-rspawn, with a qmail-remote
// that is kept open, killed, and replaced.
package spawn

import (
	"bufio"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
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
		if y.parentOf("joe") == y.parentOf("joe") || len(localProcesses()) != 0 || len(processes("bin/qmail-getpw")) != 0 {
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

// TestGarbage: a qmail-send that is not itself gets no more than reports.
func TestGarbage(t *testing.T) {
	s := site.New(t)
	s.UserFile("joe", ".qmail", "#\n", 0o600)
	y := start(t, s)
	go io.Copy(io.Discard, y.out)
	rnd := rand.New(rand.NewSource(1))
	pieces := []string{"\x00", "\x01", "\x77", "\x78", "\xff", message, "7/101", "../../etc/passwd", "/etc/passwd", "joe@h", "joe", "@h", "root@h", "../joe@h", strings.Repeat("x", 200000), "-@h", strings.Repeat("-", 1000) + "@h"}
	for range 20000 {
		if _, err := y.in.WriteString(pieces[rnd.Intn(len(pieces))] + "\x00"[:rnd.Intn(2)]); err != nil {
			t.Fatal(err)
		}
	}
	y.end()
}

// TestFewDescriptors: with few descriptors deliveries are deferred, not lost, and
// work again.
func TestFewDescriptors(t *testing.T) {
	s := site.New(t)
	s.UserFile("joe", ".qmail", "|cat /mnt/home/joe/gate\n", 0o600)
	gate := "/mnt/home/joe/gate"
	must(t, syscall.Mkfifo(gate, 0o666))
	must(t, os.Chmod(gate, 0o666))
	y := startAfter(t, s, "ulimit -n 24")
	n := y.limit
	for range n {
		y.send("joe")
	}
	done := make(chan bool)
	go func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if f, err := os.OpenFile(gate, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
				f.Close()
			}
		}
	}()
	for range n {
		if r := y.report(); !strings.HasPrefix(r.Text, "K") && !strings.HasPrefix(r.Text, "Z") {
			t.Errorf("%q", r.Text)
		}
	}
	close(done)
	y.end()
}

// TestSurroundings: what qmail-lspawn and qmail-rspawn, qmail-getpw and those who
// make tables say when they are called wrongly or find nothing that they need.
func TestSurroundings(t *testing.T) {
	noQueue := func(s *site.Site) { os.RemoveAll(site.Home + "/queue") }
	dir := func(name string) func(*site.Site) {
		return func(*site.Site) { os.MkdirAll(filepath.Join(site.Home, name), 0o755) }
	}
	for _, c := range []struct {
		name    string
		program string
		args    []string
		spoil   func(*site.Site)
		code    int
		stderr  string // the beginning
	}{
		{"no default delivery", "qmail-lspawn", nil, nil, 100, "qmail-lspawn: usage: qmail-lspawn defaultdelivery\n"},
		{"only the width", "qmail-lspawn", []string{"wide"}, nil, 100, "qmail-lspawn: usage: "},
		{"no queue", "qmail-lspawn", []string{"#"}, noQueue, 111, "qmail-lspawn: fatal: stat /mnt/qmail/queue/mess/.: "},
		{"no queue", "qmail-rspawn", nil, noQueue, 111, "qmail-rspawn: fatal: chdir /mnt/qmail/queue/mess: "},
		{"residence is a directory", "qmail-lspawn", []string{"#"}, dir("control/residence"), 111, "qmail-lspawn: fatal: unable to read "},
		{"spawnlimit is a directory", "qmail-rspawn", nil, dir("control/spawnlimit"), 111, "qmail-rspawn: fatal: unable to read "},
		{"residence is binary", "qmail-lspawn", []string{"#"}, func(s *site.Site) { s.Control("residence", "\xff\x00\x01") }, 0, ""},
		{"spawnlimit is huge", "qmail-lspawn", []string{"#"}, func(s *site.Site) { s.Control("spawnlimit", strings.Repeat("9", 1000)) }, 0, ""},
		{"spawnlimit is 0", "qmail-lspawn", []string{"#"}, func(s *site.Site) { s.Control("spawnlimit", "0\n") }, 0, ""},
		{"no address", "qmail-getpw", nil, nil, 100, "qmail-getpw: usage: qmail-getpw local\n"},
		{"the argument of residence, by hand", "qmail-getpw", []string{"--resident"}, nil, 0, ""},
		{"the argument of residence, by hand", "qmail-local", []string{"--resident"}, nil, 100, "qmail-local: usage: "},
		{"no users/assign", "qmail-newu", nil, nil, 111, "qmail-newu: fatal: unable to open users/assign\n"},
		{"no morercpthosts", "qmail-newmrh", nil, nil, 111, "qmail-newmrh: fatal: unable to read control/morercpthosts: file does not exist\n"},
		{"an unknown option", "qmail-pw2u", []string{"-Hx"}, nil, 100, "qmail-pw2u: illegal option -- x\n"},
		{"an option without its value", "qmail-pw2u", []string{"-c"}, nil, 100, "qmail-pw2u: option requires an argument -- c\n"},
		{"nothing to read", "qmail-pw2u", nil, nil, 111, "qmail-pw2u: fatal: unable to find alias user\n"},
	} {
		t.Run(c.program+": "+c.name, func(t *testing.T) {
			s := site.New(t)
			if c.spoil != nil {
				c.spoil(s)
			}
			r := s.Run(site.Command{Program: c.program, Args: c.args, Stdin: strings.NewReader("")})
			if r.Code != c.code || r.Signal != 0 || !strings.HasPrefix(r.Stderr, c.stderr) || c.stderr == "" && r.Stderr != "" {
				t.Errorf("exit code %d, signal %v: %q", r.Code, r.Signal, r.Stderr)
			}
		})
	}
}
