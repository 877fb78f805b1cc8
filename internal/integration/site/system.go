package site

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// A System is a running qmail-start with all its daemons, or another program.
type System struct {
	s   *Site
	cmd *exec.Cmd

	mu   sync.Mutex
	log  strings.Builder
	more chan struct{} // closed and replaced when the log grows
	done chan struct{} // closed at the end of the log
}

// Up starts the mail system and waits until qmail-send says that it runs. The
// arguments are those of qmail-start, ./Mailbox when there are none. It is
// stopped when the test ends.
func (s *Site) Up(args ...string) *System {
	s.t.Helper()
	if len(args) == 0 {
		args = []string{"./Mailbox"}
	}
	y := s.Start(Command{Program: "qmail-start", Args: args})
	y.WaitLog(`^status: local 0/\d+ remote 0/\d+$`)
	return y
}

// Start starts a program that goes on running. What it writes on descriptors 1 and
// 2 is its log. It is stopped when the test ends.
func (s *Site) Start(c Command) *System {
	s.t.Helper()
	r, w, err := os.Pipe()
	s.must(err)
	y := &System{s: s, more: make(chan struct{}), done: make(chan struct{})}
	y.cmd = s.command(c)
	y.cmd.Stdin, y.cmd.Stdout, y.cmd.Stderr = c.Stdin, w, w
	s.must(c.start(y.cmd))
	w.Close()
	go y.follow(r)
	s.t.Cleanup(y.stop)
	return y
}

// Pid is the number of the process.
func (y *System) Pid() int { return y.cmd.Process.Pid }

// Over tells whether the program has ended, with all that it has started.
func (y *System) Over() bool {
	select {
	case <-y.done:
		return true
	default:
		return false
	}
}

// Wait waits for the end of the program and returns its exit code.
func (y *System) Wait() int {
	y.s.t.Helper()
	select {
	case <-y.done:
	case <-time.After(patience):
		y.s.t.Fatalf("still running:\n%s", y.Log())
	}
	y.cmd.Wait()
	return y.cmd.ProcessState.ExitCode()
}

func (y *System) follow(r *os.File) {
	defer close(y.done)
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		y.mu.Lock()
		y.log.Write(buf[:n])
		close(y.more)
		y.more = make(chan struct{})
		y.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Log is what qmail-send has said so far.
func (y *System) Log() string {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.log.String()
}

// WaitLog waits for a line that matches and returns its submatches.
func (y *System) WaitLog(line string) []string {
	y.s.t.Helper()
	re := regexp.MustCompile("(?m)" + line)
	deadline := time.After(patience)
	for {
		y.mu.Lock()
		log, more := y.log.String(), y.more
		y.mu.Unlock()
		if end := strings.LastIndexByte(log, '\n'); end >= 0 {
			if m := re.FindStringSubmatch(log[:end]); m != nil {
				return m
			}
		}
		select {
		case <-more:
		case <-deadline:
			y.s.t.Fatalf("no line %q in the log:\n%s", line, log)
		}
	}
}

// WaitEmpty waits until the queue is empty.
func (y *System) WaitEmpty() {
	y.s.t.Helper()
	y.s.Eventually("an empty queue", func() bool { return len(y.s.QueueFiles()) == 0 })
}

// Signal sends a signal to qmail-send, or what was started.
func (y *System) Signal(sig syscall.Signal) { y.cmd.Process.Signal(sig) }

// Stop ends qmail-send by TERM and waits until the last of its children is gone.
func (y *System) Stop() {
	y.s.t.Helper()
	y.Signal(syscall.SIGTERM)
	select {
	case <-y.done:
	case <-time.After(patience):
		y.s.t.Errorf("still running after TERM:\n%s", y.Log())
	}
	y.stop()
}

// stop kills what is left of the session of qmail-start.
func (y *System) stop() {
	if y.cmd.ProcessState != nil {
		return
	}
	syscall.Kill(-y.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-y.done:
	case <-time.After(patience):
		syscall.Kill(-y.cmd.Process.Pid, syscall.SIGKILL)
	}
	y.cmd.Wait()
}

// Eventually waits until a condition holds.
func (s *Site) Eventually(what string, holds func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("waited in vain for %s", what)
		}
	}
}
