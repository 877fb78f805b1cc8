// Package enqueue runs qmail-queue, the one set-uid program, as anybody might
// run it: with an environment for the Go runtime, descriptors of all kinds,
// signals blocked and ignored, limits at the edge, and a queue in disorder. It
// queues the message as always, or fails in a way that is temporary and leaves
// nothing queued.
package enqueue

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/integration/site"

	"golang.org/x/sys/unix"
)

const runtimeVariables = "GODEBUG=inittrace=1,gctrace=1 GOGC=1 GOMEMLIMIT=1 GOMAXPROCS=100 GOTRACEBACK=crash"

// TestSurroundings: how the program is started does not matter.
func TestSurroundings(t *testing.T) {
	for _, c := range []struct {
		name string
		prog string // shell code; ends with qmail-queue
		env  []string
		dir  string
		code int // 0: queued; otherwise the one exit code
	}{
		{name: "plain", prog: "exec qmail-queue"},
		{name: "variables of the Go runtime", prog: "exec qmail-queue", env: strings.Fields(runtimeVariables)},
		{name: "variables of the loader, the shell and the time zone", prog: "exec qmail-queue",
			env: []string{"LD_PRELOAD=/nowhere.so", "LD_LIBRARY_PATH=/tmp", "IFS=/", "TZ=../../etc/shadow", "ZONEINFO=/tmp", "HOME=/nowhere", "QMAILQUEUE=/bin/false"}},
		{name: "a large environment", prog: "exec qmail-queue", env: []string{"X=" + strings.Repeat("x", 100_000)}},
		{name: "no environment", prog: "exec env - " + site.Home + "/bin/qmail-queue"},
		{name: "umask 0", prog: "umask 0; exec qmail-queue"},
		{name: "umask 777", prog: "umask 777; exec qmail-queue"},
		{name: "another directory", prog: "exec qmail-queue", dir: "/"},
		{name: "signals ignored", prog: "trap '' ALRM HUP INT QUIT TERM PIPE USR1 CHLD XFSZ ABRT; exec qmail-queue"},
		{name: "signals blocked", prog: "exec env --block-signal qmail-queue"},
		{name: "16 descriptors", prog: "ulimit -n 16; exec qmail-queue"},
		{name: "descriptors open up to the limit", prog: "exec 3</ 4</ 5</ 6</ 7</ 8</ 9</; ulimit -n 10; exec qmail-queue"},
		{name: "descriptor 2 closed", prog: "exec qmail-queue 2>&-"},
		{name: "descriptors 2 to 9 closed", prog: "exec qmail-queue 2>&- 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-"},
		{name: "no core, little stack", prog: "ulimit -c 0; ulimit -s 256; exec qmail-queue"},
		{name: "descriptor 0 closed", prog: "exec qmail-queue <&-", code: 54},
		{name: "descriptor 1 closed", prog: "exec qmail-queue >&-", code: 54},
		{name: "descriptors 0 and 1 closed", prog: "exec qmail-queue <&- >&-", code: 54},
		{name: "all closed", prog: "exec qmail-queue <&- >&- 2>&-", code: 54},
		{name: "descriptor 0 for writing", prog: "exec qmail-queue 0>/dev/null", code: 54},
		{name: "files of no size", prog: "ulimit -f 0; exec qmail-queue", code: 53},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site.New(t)
			r := s.Run(site.Command{Program: "/bin/sh", Args: []string{"-c", c.prog}, Env: c.env, Dir: c.dir, As: "joe",
				Stdin: strings.NewReader("body\n"), FD1: site.Envelope("s@x", "r@y")})
			if r.Code != c.code || r.Signal != 0 {
				t.Fatalf("exit code %d, signal %v, want %d: %s", r.Code, r.Signal, c.code, r.Stderr)
			}
			if c.code == 0 {
				checkQueued(t, s)
			} else if files := s.QueueFiles(); len(files) != 0 {
				t.Errorf("left: %v", files)
			}
		})
	}
}

// checkQueued wants one message of joe in the queue, with the right owner and
// mode, and a Received field as always.
func checkQueued(t *testing.T, s *site.Site) {
	t.Helper()
	files := s.QueueFiles()
	if len(files) != 3 {
		t.Fatalf("queued: %v", files)
	}
	for _, f := range files {
		path := filepath.Join(site.Home, "queue", f)
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil || st.Mode != unix.S_IFREG|0o644 || st.Uid != site.Account("qmailq").UID {
			t.Errorf("%s: mode %o, owner %d, %v", f, st.Mode, st.Uid, err)
		}
		text := s.Read(path)
		want, ok := "Received: (qmail", strings.HasSuffix(text, " -0000\nbody\n") && strings.Contains(text, fmt.Sprintf(" invoked by uid %d); ", site.Users["joe"]))
		if !strings.HasPrefix(f, "mess/") {
			want, ok = fmt.Sprintf("u%d\x00p", site.Users["joe"]), strings.HasSuffix(text, "\x00Fs@x\x00Tr@y\x00")
		}
		if !ok || !strings.HasPrefix(text, want) {
			t.Errorf("%s: %q", f, text)
		}
	}
}

// TestStarved: limits that let no program live are a temporary failure for
// whoever reads the exit code, and nothing is queued.
func TestStarved(t *testing.T) {
	var starved []string
	for n := range 12 {
		starved = append(starved, fmt.Sprintf("ulimit -n %d", n))
	}
	for n := range 8 {
		starved = append(starved, fmt.Sprintf("ulimit -u %d", n))
	}
	starved = append(starved, "ulimit -v 100000", "ulimit -d 1000", "ulimit -s 64", "ulimit -t 0")
	for _, limit := range starved {
		t.Run(limit, func(t *testing.T) {
			s := site.New(t)
			r := s.Run(site.Command{Program: "/bin/sh", Args: []string{"-c", limit + "; exec qmail-queue"}, As: "joe",
				Stdin: strings.NewReader("body\n"), FD1: site.Envelope("s@x", "r@y")})
			switch {
			case r.Signal == 0 && r.Code == 0:
				checkQueued(t, s)
			case r.Signal == 0 && r.Code >= 11 && r.Code <= 40:
				t.Errorf("exit code %d is permanent", r.Code)
			case queued(s):
				t.Errorf("exit code %d, signal %v, and yet it is queued", r.Code, r.Signal)
			}
		})
	}
}

// TestWhileRunning looks at a qmail-queue that waits for the rest of its message:
// nothing of the caller's environment and descriptors is left in it, and an alarm
// ends it although the signal was blocked.
func TestWhileRunning(t *testing.T) {
	s := site.New(t)
	message, text, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	var stray []*os.File
	for _, open := range []func() (*os.File, error){
		func() (*os.File, error) { return os.Open("/etc/passwd") },
		func() (*os.File, error) { return os.OpenFile("/dev/null", os.O_RDWR, 0) },
		func() (*os.File, error) { return message, nil },
	} {
		f, err := open()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		stray = append(stray, f, f, f)
	}
	joe := site.Account("joe")
	cmd := exec.Command("/usr/bin/env", "--block-signal", site.Home+"/bin/qmail-queue")
	cmd.Env = strings.Fields(runtimeVariables)
	cmd.Stdin = message
	cmd.ExtraFiles = stray
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: joe.UID, Gid: joe.GID}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer cmd.Process.Kill()
	text.WriteString("begin\n")
	proc := fmt.Sprintf("/proc/%d/", cmd.Process.Pid)
	for deadline := time.Now().Add(time.Minute); len(s.QueueFiles()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no mess file")
		}
	}
	if env := s.Read(proc + "environ"); strings.Trim(env, "\x00") != "" {
		t.Errorf("environment %q", env)
	}
	entries, err := os.ReadDir(proc + "fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		target, _ := os.Readlink(proc + "fd/" + e.Name())
		if e.Name() > "2" && !strings.HasPrefix(target, "anon_inode:") && !strings.HasPrefix(target, site.Home+"/queue/mess/") {
			t.Errorf("descriptor %s is %s", e.Name(), target)
		}
	}
	cmd.Process.Signal(syscall.SIGHUP) // ignored
	cmd.Process.Signal(syscall.SIGALRM)
	<-ended
	if code := cmd.ProcessState.ExitCode(); code != 52 {
		t.Errorf("exit code %d after an alarm", code)
	}
}

// TestNoArguments: an empty argument list is as good as any.
func TestNoArguments(t *testing.T) {
	s := site.New(t)
	var files []uintptr
	for _, text := range []string{"body\n", "Fs@x\x00Tr@y\x00\x00"} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		w.WriteString(text)
		w.Close()
		files = append(files, r.Fd())
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	joe := site.Account("joe")
	pid, err := syscall.ForkExec(site.Home+"/bin/qmail-queue", nil, &syscall.ProcAttr{
		Env: strings.Fields(runtimeVariables), Files: append(files, null.Fd()),
		Sys: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: joe.UID, Gid: joe.GID}}})
	if err != nil {
		t.Fatal(err)
	}
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &ws, 0, nil); err != nil || !ws.Exited() || ws.ExitStatus() != 0 {
		t.Fatalf("status %v, %v", ws, err)
	}
	checkQueued(t, s)
}
