package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/mail/outcome"

	"golang.org/x/sys/unix"
)

// TestMain lets the test binary stand in for a program: the environment variable
// names what it shall do.
func TestMain(m *testing.M) {
	if program, ok := programs[os.Getenv("PROGRAM")]; ok {
		program()
		os.Exit(0)
	}
	// The set-uid start takes the variable away on its second run; the argument stays.
	if len(os.Args) == 2 && os.Args[1] == "setuid" {
		setuid()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var programs = map[string]func(){
	"panic":     func() { Start(0o077); panic("bug") },
	"goroutine": func() { Start(0o077); go func() { panic("bug") }(); select {} },
	"nil":       func() { Start(0o077); var p *int; *p = 1 },
	"pipe": func() {
		Start(0o077)
		r, w, _ := os.Pipe()
		r.Close()
		_, err := w.Write([]byte("x"))
		fmt.Print(errors.Is(err, syscall.EPIPE))
	},
	"occupy": func() {
		Occupy(6)
		Start(0o077)
		r, w, _ := os.Pipe() // now the runtime has its own descriptors
		w.Close()
		r.Read(make([]byte, 1))
		for fd := range 7 {
			target, _ := os.Readlink(fmt.Sprint("/proc/self/fd/", fd))
			fmt.Print(strings.Contains(target, "anon_inode"), " ")
		}
	},
	"umask":  func() { Start(0o027); fmt.Printf("%#o", syscall.Umask(0)) },
	"keep":   func() { syscall.Umask(0o031); Start(KeepUmask); fmt.Printf("%#o", syscall.Umask(0)) },
	"closed": func() { Start(0o077); fmt.Fprint(os.Stderr, Closed(0), Closed(1), Closed(9)) },
	"withhold": func() {
		Start(0o077)
		WithholdInherited()
		for fd := range 6 {
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			fmt.Print(err == nil && flags&unix.FD_CLOEXEC == 0, " ")
		}
	},
	"nonblocking": func() {
		for _, f := range []*os.File{Pipe(os.Stdin), Pipe(os.Stdout)} {
			fmt.Fprint(os.Stderr, f.SetDeadline(time.Time{}) == nil, " ")
		}
	},
	"success": func() { Exit("prog", nil) },
	"wrong":   func() { Exit("prog", outcome.Usage("prog file")) },
	"failure": func() { Exit("prog", fmt.Errorf("in vain: %w", outcome.Fail("no such thing"))) },
	"later":   func() { Exit("prog", errors.New("try again")) },
	"status":  func() { Exit("prog", &outcome.Status{Code: 99, Text: "enough"}) },
	"silent":  func() { Exit("prog", &outcome.Status{Code: 7}) },
}

// setuid shows what is left of a caller's surroundings.
func setuid() {
	StartSetuid(0o033)
	fmt.Printf("%#o %q", syscall.Umask(0), os.Environ())
	for _, fd := range openDescriptors() {
		var st syscall.Stat_t
		if fd > 2 && syscall.Fstat(fd, &st) == nil && st.Mode&syscall.S_IFMT != 0 {
			fmt.Printf(" %d", fd)
		}
	}
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGXCPU} {
		fmt.Print(" ", signal.Ignored(s))
	}
}

// run runs this test binary as a program.
func run(t *testing.T, cmd *exec.Cmd) (code int, signaled syscall.Signal, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	cmd.Stderr = &err
	cmd.Run()
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return -1, status.Signal(), out.String(), err.String()
	}
	return status.ExitStatus(), 0, out.String(), err.String()
}

func program(name string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{"PROGRAM=" + name}
	return cmd
}

// TestCrash: a bug is a crash, never an exit code that means something.
func TestCrash(t *testing.T) {
	for _, name := range []string{"panic", "goroutine", "nil"} {
		if code, signaled, _, stderr := run(t, program(name)); signaled != syscall.SIGABRT {
			t.Errorf("%s: exit code %d, signal %v: %s", name, code, signaled, stderr)
		}
	}
}

func TestStart(t *testing.T) {
	for name, want := range map[string]string{
		"pipe": "true", "umask": "027", "keep": "031",
		"occupy": "false false false false false false false ",
	} {
		if code, _, stdout, stderr := run(t, program(name)); code != 0 || stdout != want {
			t.Errorf("%s: exit code %d, %q, want %q: %s", name, code, stdout, want, stderr)
		}
	}
}

func TestExit(t *testing.T) {
	for _, c := range []struct {
		name, stderr string
		code         int
	}{
		{"success", "", 0},
		{"wrong", "prog: usage: prog file\n", 100},
		{"failure", "prog: fatal: in vain: no such thing\n", 100},
		{"later", "prog: fatal: try again\n", 111},
		{"status", "enough\n", 99},
		{"silent", "", 7},
	} {
		code, _, stdout, stderr := run(t, program(c.name))
		if code != c.code || stderr != c.stderr || stdout != "" {
			t.Errorf("%s: exit code %d, %q %q", c.name, code, stdout, stderr)
		}
	}
}

// TestWithhold: programs inherit descriptors 0 to 2, and no others.
func TestWithhold(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	cmd := program("withhold")
	cmd.ExtraFiles = []*os.File{null, null}
	if code, _, stdout, stderr := run(t, cmd); code != 0 || stdout != "true true true false false false " {
		t.Errorf("exit code %d, %q: %s", code, stdout, stderr)
	}
}

// TestPipe: one can wait for a pipe without a thread; a file stays as it is.
func TestPipe(t *testing.T) {
	for _, c := range []struct{ redirect, want string }{
		{"", "true true "}, {"</dev/null", "false true "}, {">/dev/null", "true false "},
	} {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/bin/sh", "-c", "true | (exec \"$0\" "+c.redirect+") | cat", self)
		cmd.Env = []string{"PROGRAM=nonblocking", "PATH=/usr/bin:/bin"}
		if code, _, _, stderr := run(t, cmd); code != 0 || stderr != c.want {
			t.Errorf("%q: exit code %d, %q", c.redirect, code, stderr)
		}
	}
}

// TestClosed: a descriptor that the caller left closed is told from /dev/null.
func TestClosed(t *testing.T) {
	for redirect, want := range map[string]string{
		"<&- >&-":                 "true true true",
		"</dev/null >/dev/null":   "false false true",
		"</dev/zero >&-":          "false true true",
		"</ 1</dev/null 9</":      "false false false",
		"<&- 1<>/dev/zero 9<&-":   "true false true",
		"0>/dev/null 1>/dev/full": "false false true",
	} {
		cmd := exec.Command("/bin/sh", "-c", `exec "$0" `+redirect, "/proc/self/exe")
		if self, err := os.Executable(); err == nil {
			cmd.Args[3] = self
		}
		cmd.Env = []string{"PROGRAM=closed"}
		cmd.Stdin = strings.NewReader("")
		if _, _, _, stderr := run(t, cmd); stderr != want {
			t.Errorf("%s: %s, want %s", redirect, stderr, want)
		}
	}
}

// TestStartSetuid: nothing of the caller's is left. (That it works for a program
// that really is set-uid is tested in internal/integration/enqueue.)
func TestStartSetuid(t *testing.T) {
	for _, c := range []struct {
		name, env, want string
	}{
		{"harmless environment stays", "A=b", `["A=b"]`},
		{"GODEBUG", "GODEBUG=gctrace=0", "[]"},
		{"GOGC", "GOGC=off", "[]"},
		{"GOGC empty", "GOGC=", "[]"},
		{"GOMAXPROCS", "GOMAXPROCS=1", "[]"},
		{"GOMEMLIMIT", "GOMEMLIMIT=1GiB", "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			null, err := os.Open(os.DevNull)
			if err != nil {
				t.Fatal(err)
			}
			defer null.Close()
			cmd := exec.Command("/proc/self/exe", "setuid")
			cmd.Env = []string{c.env}
			cmd.ExtraFiles = []*os.File{null, null, null, null}
			want := "033 " + c.want + " true true true true"
			if code, _, stdout, stderr := run(t, cmd); code != 0 || stdout != want {
				t.Errorf("exit code %d, %q, want %q: %s", code, stdout, want, stderr)
			}
		})
	}
}
