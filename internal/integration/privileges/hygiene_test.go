package privileges

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/integration/site"

	"golang.org/x/sys/unix"
)

// A program is one that parents start, with something for it to do.
type program struct {
	name, as string
	args     []string
	env      []string
	in       string    // a file on descriptor 0
	fd1      io.Reader // what it reads from descriptor 1
	fd3      string    // a file on descriptor 3
	needs    string    // the descriptors without which it cannot work
}

const (
	hygieneText = "Subject: hygiene\n\nbody\n"
	dialogue    = "EHLO c.test\r\nMAIL FROM:<s@x.test>\r\nRCPT TO:<joe@host.example.org>\r\nDATA\r\nSubject: hygiene\r\n\r\nbody\r\n.\r\nQUIT\r\n"
	package_    = "12:\nSubject: x\n,8:s@x.test,24:20:joe@host.example.org,,"
)

func programs() []program {
	client := []string{"TCPREMOTEIP=192.0.2.1", "RELAYCLIENT="}
	delivery := []string{"SENDER=s@x.test", "NEWSENDER=s@x.test", "RECIPIENT=joe@host.example.org", "LOCAL=joe", "EXT=", "HOST=host.example.org",
		"USER=joe", "HOME=/mnt/home/joe", "DTLINE=Delivered-To: joe@host.example.org\n", "RPLINE=Return-Path: <s@x.test>\n", "UFLINE=From s@x.test\n"}
	bin := site.Home + "/bin/"
	// What a user's program does with its umask, its PATH and its core is its own business.
	const own = "umask 22; ulimit -c 0; /bin/cat >"
	return []program{
		{name: "qmail-queue", as: "joe", in: hygieneText, fd1: site.Envelope("s@x.test", "joe@host.example.org"), needs: "01"},
		{name: "qmail-queue", as: "qmaild", in: hygieneText, fd1: site.Envelope("s@x.test", "joe@host.example.org"), needs: "01"},
		{name: "qmail-queue", in: hygieneText, fd1: site.Envelope("s@x.test", "joe@host.example.org"), needs: "01"},
		{name: "qmail-smtpd", as: "qmaild", env: client, in: dialogue, needs: "01"},
		{name: "qmail-qmtpd", as: "qmaild", env: client, in: package_, needs: "01"},
		{name: "qmail-qmqpd", as: "qmaild", env: client, in: "58:10:Subject: x,8:s@x.test,20:joe@host.example.org,", needs: "01"},
		{name: "qmail-inject", as: "joe", args: []string{"r@y.test"}, in: hygieneText, needs: "0"},
		{name: "sendmail", as: "joe", args: []string{"-fjoe@host.example.org", "--", "r@y.test"}, in: hygieneText, needs: "0"},
		{name: "forward", as: "joe", args: []string{"r@y.test"}, env: delivery, in: hygieneText, needs: "0"},
		{name: "condredirect", as: "joe", args: []string{"r@y.test", "/bin/true"}, env: delivery, in: hygieneText, needs: "0"},
		{name: "preline", as: "joe", args: []string{"/bin/cat"}, env: delivery, in: hygieneText, needs: "01"},
		{name: "except", as: "joe", args: []string{"/bin/false"}, in: hygieneText},
		{name: "bouncesaying", as: "joe", args: []string{"gone", "/bin/false"}, in: hygieneText},
		{name: "qmail-local", as: "joe", args: []string{"--", "joe", "/mnt/home/joe", "joe", "", "", "host.example.org", "s@x.test", "./Maildir/"}, in: hygieneText, needs: "0"},
		{name: "qmail-local", as: "joe", args: []string{"--", "joe", "/mnt/home/joe", "joe", "", "", "host.example.org", "s@x.test", "./Mailbox"}, in: hygieneText, needs: "0"},
		{name: "qmail-local", as: "joe", args: []string{"--", "joe", "/mnt/home/joe", "joe", "", "", "host.example.org", "s@x.test", "&r@y.test"}, in: hygieneText, needs: "0"},
		{name: "qmail-local", as: "joe", args: []string{"--", "joe", "/mnt/home/joe", "joe", "", "", "host.example.org", "s@x.test", "|" + own + "Maildir/cur/x"}, in: hygieneText, needs: "0"},
		{name: "qmail-remote", as: "qmailr", args: []string{"far.test", "s@x.test", "r@far.test"}, in: hygieneText, needs: "01"},
		{name: "qmail-getpw", as: "qmailp", args: []string{"joe"}, needs: "1"},
		{name: "qmail-clean", as: "qmailq", in: "foop/1\x00todo/1\x00foop/x\x00", needs: "01"},
		{name: "qmail-lspawn", args: []string{"./Mailbox"}, needs: "01"},
		{name: "qmail-rspawn", as: "qmailr", needs: "01"},
		{name: "qmail-popup", args: []string{"host.example.org", bin + "qmail-checkpassword", "/bin/true"}, in: "USER x\r\nPASS y\r\n", needs: "01"},
		{name: "qmail-checkpassword", args: []string{"/bin/true"}, fd3: "x\x00y\x00t\x00", needs: "3"},
		{name: "qmail-pop3d", as: "joe", args: []string{"/mnt/home/joe/Maildir"}, in: "STAT\r\nQUIT\r\n", needs: "01"},
		{name: "qmail-newu"},
		{name: "qmail-qread", needs: "1"},
		{name: "qmail-qstat", needs: "1"},
		{name: "qmail-showctl", as: "bob", needs: "1"},
	}
}

// A condition is a way to start a program badly.
type condition struct {
	name   string
	before string // shell code
	wrap   string // put before the program
	env    []string
	closed string // descriptors
	limits bool   // it may make the program fail, and even leave debris, for the time being
}

// script is for a shell, with the program and its arguments.
func (c condition) script() string {
	script := c.before + "\nexec " + c.wrap + ` "$@"`
	for _, fd := range c.closed {
		script += fmt.Sprintf(" %c>&-", fd)
	}
	return script
}

func conditions() (list []condition) {
	const env = "/usr/bin/env"
	hostile := []string{"GODEBUG=inittrace=1,gctrace=1,asyncpreemptoff=1", "GOGC=1", "GOMEMLIMIT=1", "GOMAXPROCS=1000", "GOTRACEBACK=crash"}
	others := []string{"LD_PRELOAD=/nowhere.so", "LD_LIBRARY_PATH=/tmp", "LD_AUDIT=/nowhere.so", "IFS=/", "TZ=../../etc/shadow", "ZONEINFO=/tmp", "PATH=/nowhere:.",
		"ENV=/nowhere", "BASH_ENV=/nowhere", "LANG=xx", "LISTEN_FDS=5", "LISTEN_PID=1", "RES_OPTIONS=debug", "GOCOVERDIR=/nowhere"}
	var large []string
	for n := range 10 {
		large = append(large, fmt.Sprintf("LARGE%d=%s", n, strings.Repeat("x", 100_000)))
	}
	list = []condition{
		{name: "variables of the Go runtime", env: hostile},
		{name: "variables of others", env: others},
		{name: "a megabyte of variables", env: large},
		{name: "umask 0", before: "umask 0"},
		{name: "umask 777", before: "umask 777"},
		{name: "signals blocked", wrap: env + " --block-signal"},
		{name: "signals ignored", wrap: env + " --ignore-signal"},
		{name: "signals both", wrap: env + " --block-signal --ignore-signal"},
	}
	bits := []int{1, 2, 3, 4, 7, 8, 64, 120, 124, 127}
	if long {
		bits = nil
		for n := range 127 {
			bits = append(bits, n+1)
		}
	}
	for _, n := range bits {
		c := condition{}
		for fd := range 7 {
			if n&(1<<fd) != 0 {
				c.closed += fmt.Sprint(fd)
			}
		}
		c.name = "closed: " + c.closed
		list = append(list, c)
	}
	limits := []string{"-n 7", "-n 12", "-f 0", "-v 100000", "-v 1500000", "-t 1", "-u 1", "-u 5", "-s 64", "-s 256", "-d 5000"}
	if long {
		for n := range 24 {
			limits = append(limits, fmt.Sprintf("-n %d", n), fmt.Sprintf("-u %d", n), fmt.Sprintf("-v %d", n*100_000), fmt.Sprintf("-d %d", n*4000))
		}
	}
	for _, l := range limits {
		list = append(list, condition{name: "ulimit " + l, before: "ulimit -c unlimited; ulimit " + l, limits: true})
	}
	return append(list, condition{name: "no limits", before: "ulimit -c unlimited; ulimit -s unlimited"})
}

// stage is where programs are started, with files that nobody is to write to on the
// descriptors from 3 on.
type stage struct {
	t     *testing.T
	s     *site.Site
	wires []*os.File
	sink  *sink
}

const (
	wiresDir = "/mnt/wires"
	startDir = "/mnt/start" // the working directory, which anybody can write
)

func newStage(t *testing.T) *stage {
	g := &stage{t: t, s: site.New(t), sink: newSink(t, "127.0.0.1:2526")}
	g.s.Control("rcpthosts", "host.example.org\n")
	g.s.Control("smtproutes", ":127.0.0.1:2526\n")
	must(t, os.WriteFile(site.Home+"/users/assign", []byte("=nn:joe:47001:47001:/mnt/home/joe:::\n.\n"), 0o644))
	g.s.Maildir("joe", "Maildir")
	for _, dir := range []string{wiresDir, startDir} {
		os.RemoveAll(dir)
		must(t, os.Mkdir(dir, 0o755))
		must(t, os.Chmod(dir, 0o777))
		t.Cleanup(func() { os.RemoveAll(dir) })
	}
	for fd := 3; fd <= 6; fd++ {
		f, err := os.OpenFile(fmt.Sprint(wiresDir, "/", fd), os.O_RDWR|os.O_CREATE, 0o666)
		must(t, err)
		t.Cleanup(func() { f.Close() })
		g.wires = append(g.wires, f)
	}
	return g
}

// An end is what came of a program.
type end struct {
	how    string            // exit code, or signal
	stdout string            // without numbers
	files  map[string]string // what there is afterwards: mode, owner and text, without numbers
}

// run starts a program under a condition, and removes what it has made.
func (g *stage) run(p program, c condition) end {
	g.t.Helper()
	in := g.file(wiresDir+"/in", p.in)
	defer in.Close()
	files := slices.Clone(g.wires)
	if p.fd3 != "" {
		files[0] = g.file(wiresDir+"/fd3", p.fd3)
		defer files[0].Close()
	}
	fd1 := p.fd1
	if b, ok := fd1.(*bytes.Buffer); ok {
		fd1 = bytes.NewReader(b.Bytes()) // to be read again
	}
	r := g.s.Run(site.Command{Program: "/bin/sh", Args: append([]string{"-c", c.script(), "sh", site.Home + "/bin/" + p.name}, p.args...),
		Env: slices.Concat(p.env, c.env), As: p.as, Dir: startDir, Stdin: in, FD1: fd1, Files: files})
	e := end{how: fmt.Sprint(r.Code), stdout: withoutNumbers(r.Stdout), files: map[string]string{}}
	if r.Signal != 0 {
		e.how = r.Signal.String()
	}
	for n, text := range g.sink.take() {
		e.files[fmt.Sprint("sent ", n)] = withoutNumbers(text)
	}
	for _, top := range []string{site.Home + "/queue", site.Home + "/users", "/mnt/home/joe", wiresDir, startDir} {
		g.collect(top, e.files)
	}
	return e
}

func (g *stage) file(name, text string) *os.File {
	must(g.t, os.WriteFile(name, []byte(text), 0o666))
	f, err := os.Open(name)
	must(g.t, err)
	must(g.t, os.Remove(name))
	return f
}

// collect notes each file that a program has made, or written to, and removes it.
func (g *stage) collect(top string, files map[string]string) {
	must(g.t, filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(path, site.Home+"/queue/lock/") || path == site.Home+"/users/assign" {
			return err
		}
		var st unix.Stat_t
		must(g.t, unix.Stat(path, &st))
		if top == wiresDir {
			if st.Size > 0 {
				files["written to: "+path] = g.s.Read(path)
				must(g.t, os.Truncate(path, 0))
			}
			return nil
		}
		files[withoutNumbers(path)] = fmt.Sprintf("%o %d %s", st.Mode, st.Uid, withoutNumbers(g.s.Read(path)))
		return os.Remove(path)
	}))
}

// withoutNumbers replaces numbers, and names made of numbers, by #.
func withoutNumbers(text string) string { return digits.ReplaceAllString(text, "#") }

// TestHygiene: however a program is started, it does what it always does; or, where the
// parent has taken something away that it needs, it fails for the time being and leaves
// nothing behind. Nothing is written to what it was not to write to.
func TestHygiene(t *testing.T) {
	g := newStage(t)
	for _, p := range programs() {
		t.Run(p.name+" "+p.as, func(t *testing.T) {
			usual := g.run(p, condition{})
			for _, c := range conditions() {
				e := g.run(p, c)
				switch {
				case c.limits && failed(p, e, usual, true), strings.ContainsAny(c.closed, p.needs) && failed(p, e, usual, false):
				case e.how != usual.how, e.stdout != usual.stdout && !strings.Contains(c.closed, "1"), !maps.Equal(e.files, usual.files):
					t.Errorf("%s: %q\nas always: %q", c.name, e, usual)
				}
			}
		})
	}
}

var isDebris = regexp.MustCompile(`/queue/(mess|pid|intd)/|/Maildir/tmp/|/users/cdb\.tmp$`)

// failed tells whether a program has failed in a way that is temporary for its parent,
// and left nothing of a message; or, where it was ended in the middle, no more than
// debris that nobody takes for mail.
func failed(p program, e, usual end, debris bool) bool {
	switch {
	case p.name == "qmail-queue" && len(e.how) == 2 && e.how >= "11" && e.how <= "40", p.name != "qmail-queue" && e.how == "100":
		return false
	case p.name == "qmail-remote" && strings.ContainsAny(e.stdout, "Dh"), strings.Contains(e.stdout, "ok # qp #"):
		return false
	}
	for f, text := range e.files {
		empty := strings.HasPrefix(f, "/mnt/home/joe/") && strings.HasSuffix(text, " ")
		// Done, and yet it could not be sure of that, or tell: it will be done again.
		complete := (strings.HasSuffix(f, "/users/cdb") || strings.HasPrefix(f, "/mnt/home/joe/")) && text == usual.files[f]
		if !debris || !empty && !complete && !isDebris.MatchString(f) {
			return false
		}
	}
	return true
}

// TestSystemHygiene: the same of qmail-start, and so of all that it starts: the daemons
// come up, deliver, and leave.
func TestSystemHygiene(t *testing.T) {
	s := site.New(t)
	s.Maildir("joe", "Maildir")
	for n, c := range conditions() {
		if c.limits || strings.Contains(c.closed, "1") || !long && n > 12 {
			continue // without descriptor 1 there is no log, and it leaves; limits are the admin's
		}
		t.Run(c.name, func(t *testing.T) {
			y := s.Start(site.Command{Program: "/bin/sh", Args: []string{"-c", c.script(), "sh", site.Home + "/bin/qmail-start", "./Maildir/"}, Env: c.env, Dir: "/"})
			y.WaitLog(`^status: local 0/\d+ remote 0/\d+$`)
			s.Queue(hygieneText, "s@x.test", "joe@host.example.org")
			y.WaitEmpty()
			y.Stop()
			must(t, filepath.WalkDir("/mnt/home/joe/Maildir", func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				info, err := d.Info()
				if err != nil || info.Mode() != 0o600 || filepath.Base(filepath.Dir(path)) != "new" || !strings.HasSuffix(s.Read(path), "\n"+hygieneText) {
					t.Errorf("%s: %v %q", path, info.Mode(), s.Read(path))
				}
				return os.Remove(path)
			}))
		})
	}
}

// TestNoArguments: no program comes to harm by an argument list without even a name.
func TestNoArguments(t *testing.T) {
	s := site.New(t)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	must(t, err)
	defer null.Close()
	bob := site.Account("bob")
	list, err := filepath.Glob(site.Home + "/bin/*")
	must(t, err)
	for _, program := range list {
		fd := null.Fd()
		pid, err := syscall.ForkExec(program, nil, &syscall.ProcAttr{Dir: "/", Files: []uintptr{fd, fd, fd},
			Sys: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: bob.UID, Gid: bob.GID}}})
		if err == syscall.EACCES {
			continue // it is root's
		}
		must(t, err)
		killer := time.AfterFunc(30*time.Second, func() { syscall.Kill(pid, syscall.SIGKILL) })
		var ws syscall.WaitStatus
		_, err = syscall.Wait4(pid, &ws, 0, nil)
		killer.Stop()
		misused := filepath.Base(program) == "qmail-checkpassword" // its code for that is a panic's
		if err != nil || !ws.Exited() || ws.ExitStatus() == 2 && !misused {
			t.Errorf("%s: %#x, %v", program, ws, err)
		}
	}
	if files := s.QueueFiles(); len(files) > 0 {
		t.Errorf("queued: %v", files)
	}
}

// TestQueueByRoot: a qmail-queue that root has called has nothing of root's left with
// which it could become root, while it reads what somebody has written.
func TestQueueByRoot(t *testing.T) {
	s := site.New(t)
	message, text, err := os.Pipe()
	must(t, err)
	defer text.Close()
	envelope, addresses, err := os.Pipe()
	must(t, err)
	cmd := exec.Command(site.Home + "/bin/qmail-queue")
	cmd.Stdin, cmd.Stdout = message, envelope
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{0, 6}}} // 6 is disk
	must(t, cmd.Start())
	message.Close()
	envelope.Close()
	text.WriteString(strings.Repeat("half of a message\n", 10_000))
	s.Eventually("a message on its way", func() bool { return len(s.QueueFiles()) > 0 })
	qmailq := site.Account("qmailq")
	status := s.Read(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	for _, want := range []string{strings.Replace("Uid:\tN\tN\tN\tN\n", "N", fmt.Sprint(qmailq.UID), 4),
		strings.Replace("Gid:\tN\tN\tN\tN\n", "N", fmt.Sprint(qmailq.GID), 4), "Groups:\t \n", "CapPrm:\t0000000000000000\n"} {
		if !strings.Contains(status, want) {
			t.Errorf("no %q in:\n%s", want, status)
		}
	}
	text.Close()
	addresses.WriteString("Fs@x\x00Tr@y\x00\x00")
	addresses.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	for _, f := range s.QueueFiles() {
		if text := s.Read(site.Home + "/queue/" + f); strings.HasPrefix(f, "mess/") && !strings.Contains(text, " invoked by uid 0);") ||
			strings.HasPrefix(f, "todo/") && !strings.HasPrefix(text, "u0\x00p") {
			t.Errorf("%s: %.200q", f, text)
		}
	}
}
