package site

import (
	"bytes"
	"cmp"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"
)

// limit ends a program that hangs, unless a test gives it longer; no test waits for it
// otherwise.
const limit = time.Minute

// A Command is one run of an installed program.
type Command struct {
	Program string // name in bin/, or a path
	Args    []string
	Env     []string // all of it, besides PATH
	As      string   // user; root when empty
	Groups  []uint32 // the user's groups besides his own
	Dir     string   // working directory; Home when empty
	Stdin   io.Reader
	FD1     io.Reader     // what can be read from descriptor 1 (qmail-queue)
	Files   []*os.File    // descriptors 3 and so on
	NoFile  uint64        // limit of open files, when not 0
	On      *Host         // where; on the site itself when nil
	Within  time.Duration // how long it may take, when not a minute
	Often   bool          // one of so many runs that there is no time for MaxRSS
}

// A Result is how a run ended.
type Result struct {
	Code   int            // exit code
	Signal syscall.Signal // what killed it, or 0
	Stdout string
	Stderr string
	MaxRSS int64 // bytes
}

// forgetPeak sees to it that MaxRSS is the program's own: until it is executed, a child has
// the memory of this process, and the kernel counts the most that this ever had.
func forgetPeak() {
	debug.FreeOSMemory()
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// Run runs a program to its end.
func (s *Site) Run(c Command) Result {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := s.command(c)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, &stdout, &stderr
	if c.FD1 != nil {
		r, w, err := os.Pipe()
		s.must(err)
		cmd.Stdout = r
		defer r.Close()
		go func() { io.Copy(w, c.FD1); w.Close() }()
	}
	if !c.Often {
		forgetPeak()
	}
	s.must(c.start(cmd))
	killer := time.AfterFunc(cmp.Or(c.Within, limit), func() { cmd.Process.Kill() })
	cmd.Wait()
	killer.Stop()
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	result := Result{Code: status.ExitStatus(), Stdout: stdout.String(), Stderr: stderr.String(),
		MaxRSS: cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10}
	if status.Signaled() {
		result.Signal = status.Signal()
	}
	return result
}

// start starts the prepared process where it is to run.
func (c Command) start(cmd *exec.Cmd) error {
	if c.On != nil {
		return c.On.do(cmd.Start)
	}
	return cmd.Start()
}

// command prepares a process; it starts in a session of its own.
func (s *Site) command(c Command) *exec.Cmd {
	program := c.Program
	if filepath.Base(program) == program {
		program = filepath.Join(Home, "bin", program)
	}
	cmd := exec.Command(program, c.Args...)
	cmd.Args[0] = c.Program
	cmd.Dir = c.Dir
	if cmd.Dir == "" {
		cmd.Dir = Home
	}
	cmd.Env = append([]string{"PATH=" + Home + "/bin:/usr/bin:/bin:/usr/sbin:/sbin"}, c.Env...)
	if dir := os.Getenv("GOCOVERDIR"); dir != "" {
		cmd.Env = append(cmd.Env, "GOCOVERDIR="+dir)
	}
	cmd.ExtraFiles = c.Files
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if c.As != "" {
		u := Account(c.As)
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: c.Groups}
	}
	return cmd
}

// Envelope is what qmail-queue reads from descriptor 1.
func Envelope(sender string, recipients ...string) io.Reader {
	var b bytes.Buffer
	b.WriteString("F" + sender + "\x00")
	for _, r := range recipients {
		b.WriteString("T" + r + "\x00")
	}
	b.WriteByte(0)
	return &b
}

// Queue puts a message into the queue, as the network servers do, and wants it
// to be accepted.
func (s *Site) Queue(text, sender string, recipients ...string) {
	s.t.Helper()
	r := s.Run(Command{Program: "qmail-queue", As: "qmaild", Stdin: bytes.NewReader([]byte(text)), FD1: Envelope(sender, recipients...)})
	if r.Code != 0 || r.Signal != 0 {
		s.t.Fatalf("qmail-queue: exit code %d, signal %v: %s", r.Code, r.Signal, r.Stderr)
	}
}
