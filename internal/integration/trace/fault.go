// Package trace looks at the system calls of programs, by ptrace(2), and does something at
// one of them.
//
// A Fault meets the processes of one program in a tree of many, once: at the Nth of its calls
// the process is killed, and no other; or the call fails. Which errors a call can fail with
// is written down here (kinds.go), so that N counts only those that can.
//
//	fault := trace.Fault{Program: "qmail-local", Nth: 7, Errno: unix.ENOSPC}
//	story, err := fault.Suffer(exec.Command("bin/qmail-start"), started)
//
// It needs root. What is traced by root from its beginning may be set-uid, or become any
// user.
package trace

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Fault is something that befalls the processes of one program, once.
type Fault struct {
	Program string // name of its file
	// Nth is which of its calls is met, of those that can have the fault, over all
	// its processes in the order in which they come; 0 meets none.
	Nth   int
	Errno unix.Errno // what the call fails with; Kill has its process killed

	// Ahead, when not nil, says by how many seconds the clock is ahead that programs see
	// (clock.go).
	Ahead func() int64
}

// Kill in the place of an error.
const Kill unix.Errno = 0

// An End is how a process ended.
type End struct {
	Program string
	Status  syscall.WaitStatus
}

// A Story is what happened in a run with a fault.
type Story struct {
	Met   string        // the call, with the name of its file; empty if there was none
	Calls int           // how many calls the program made in all
	CPU   time.Duration // how long it computed
	Ends  []End         // of all processes
	Code  int           // exit code of the first, or -1

	// Could are the calls that could have had a fault, by its error, where none was to
	// be met.
	Could map[unix.Errno][]string
}

// Suffer runs a command with all that it starts until the last of its processes has
// ended, and has the fault meet the program among them. Other processes run at their
// own pace. A child of the program counts as the program until it executes another.
//
// The process is handed out once it was started.
func (f Fault) Suffer(cmd *exec.Cmd, started func(*os.Process)) (Story, error) {
	runtime.LockOSThread() // all of ptrace is a matter of one thread
	defer runtime.UnlockOSThread()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Ptrace = true
	if err := cmd.Start(); err != nil {
		return Story{}, err
	}
	s := sufferer{Fault: f, first: cmd.Process.Pid, processes: map[int]*process{}, threads: map[int]*thread{}}
	s.story.Code, s.story.Could = -1, map[unix.Errno][]string{}
	if err := Attach(s.first); err != nil {
		return s.story, err
	}
	first := s.thread(s.first)
	s.executes(first)
	s.resume(s.first, first, 0)
	started(cmd.Process)
	for {
		tid, status, used, err := Next()
		switch {
		case err == unix.ECHILD:
			return s.story, nil
		case err != nil:
			return s.story, fmt.Errorf("unable to wait for %s: %w", cmd.Path, err)
		}
		s.event(tid, status, &used)
	}
}

// A sufferer follows a command under a fault.
type sufferer struct {
	Fault
	first     int
	processes map[int]*process
	threads   map[int]*thread
	count     int // of calls that could have the fault
	story     Story
}

// A process is one of the command.
type process struct {
	pid     int
	program string
	met     bool // it is of the program that the fault is for
}

// A thread is one of a process.
type thread struct {
	process *process
	failing unix.Errno // what the call that it is in will fail with
	clock   uint64     // where that will store the time, or 0
}

// executes notes that a process executes another program.
func (s *sufferer) executes(t *thread) {
	p := t.process
	path, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.pid))
	p.program = filepath.Base(path)
	p.met = p.program == s.Program
	if s.Ahead != nil {
		hideVDSO(p.pid)
	}
}

// thread returns a thread, which is seen for the first time perhaps. A new process is
// of its parent's program.
func (s *sufferer) thread(tid int) *thread {
	if t := s.threads[tid]; t != nil {
		return t
	}
	group, parent := Kin(tid)
	p := s.processes[group]
	if p == nil {
		p = &process{pid: group}
		if from := s.processes[parent]; from != nil {
			p.program, p.met = from.program, from.met
		}
		s.processes[group] = p
	}
	t := &thread{process: p}
	s.threads[tid] = t
	return t
}

// event deals with one stop or end of a thread, and lets it go on.
func (s *sufferer) event(tid int, status unix.WaitStatus, used *unix.Rusage) {
	t := s.thread(tid)
	if !status.Stopped() {
		delete(s.threads, tid)
		if tid == t.process.pid {
			s.ended(t.process, status, used)
		}
		return
	}
	signal := 0
	switch sig := status.StopSignal(); {
	case sig == unix.SIGTRAP|0x80:
		s.call(tid, t)
	case sig == unix.SIGTRAP && status.TrapCause() == unix.PTRACE_EVENT_EXEC:
		s.executes(t)
	case sig != unix.SIGTRAP && sig != unix.SIGSTOP:
		signal = int(sig)
	}
	s.resume(tid, t, signal)
}

// resume lets a thread go on. Only the calls of the program are of interest.
func (s *sufferer) resume(tid int, t *thread, signal int) {
	if t.process.met || s.Ahead != nil {
		unix.PtraceSyscall(tid, signal)
	} else {
		unix.PtraceCont(tid, signal)
	}
}

// ended notes the end of a process.
func (s *sufferer) ended(p *process, status unix.WaitStatus, used *unix.Rusage) {
	delete(s.processes, p.pid)
	s.story.Ends = append(s.story.Ends, End{p.program, syscall.WaitStatus(status)})
	if p.met {
		s.story.CPU += time.Duration(used.Utime.Nano() + used.Stime.Nano())
	}
	if p.pid == s.first && status.Exited() {
		s.story.Code = status.ExitStatus()
	}
}

// could notes which faults a call could have.
func (s *sufferer) could(c call) {
	for _, e := range Errnos {
		if c.canFail(e) {
			s.story.Could[e] = append(s.story.Could[e], c.String())
		}
	}
}

// call looks at a system call of the program, at its beginning and at its end.
func (s *sufferer) call(tid int, t *thread) {
	number, args, entering := SystemCall(tid)
	if !entering {
		if t.failing != 0 {
			setResult(tid, t.failing)
			t.failing = 0
		}
		if t.clock != 0 {
			shift(tid, t.clock, s.Ahead())
			t.clock = 0
		}
		return
	}
	if s.Ahead != nil && number == unix.SYS_CLOCK_GETTIME && args[0] == unix.CLOCK_REALTIME {
		t.clock = args[1]
	}
	if !t.process.met {
		return
	}
	s.story.Calls++
	c := call{tid, number, args}
	if s.Nth == 0 {
		s.could(c)
		return
	}
	if s.story.Met != "" || !c.canFail(s.Errno) {
		return
	}
	if s.count++; s.count != s.Nth {
		return
	}
	s.story.Met = c.String()
	if s.Errno == Kill {
		unix.Kill(t.process.pid, unix.SIGKILL)
		return
	}
	t.failing = s.Errno
	if number != unix.SYS_CLOSE { // which closes, whatever it says
		skip(tid)
	}
}
