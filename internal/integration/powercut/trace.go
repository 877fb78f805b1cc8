package powercut

import (
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"goqmail/internal/integration/trace"
)

// A Command is a program to be stopped.
type Command struct {
	Path  string
	Args  []string // argument 0 first
	Env   []string
	Dir   string
	As    *syscall.Credential
	Files []*os.File // descriptors 0, 1 and so on; closed by Trace
}

// A Run is how a traced program ended.
type Run struct {
	Stopped  string // the call that it was stopped at; empty where it came to its end
	Accepted bool   // it said so: it exited, or was about to exit, with code 0
}

// Trace runs a program with all that it starts, and kills it when it is about to
// make its nth durable call, after calling at.
func (c Command) Trace(n int, at func()) (Run, error) {
	defer func() {
		for _, f := range c.Files {
			f.Close()
		}
	}()
	runtime.LockOSThread() // all of ptrace is a matter of one thread
	defer runtime.UnlockOSThread()
	process, err := os.StartProcess(c.Path, c.Args, &os.ProcAttr{Dir: c.Dir, Env: c.Env, Files: c.Files,
		Sys: &syscall.SysProcAttr{Ptrace: true, Credential: c.As}})
	if err != nil {
		return Run{}, err
	}
	defer process.Release()
	t := tracer{first: process.Pid, nth: n, at: at, alive: map[int]bool{process.Pid: true}}
	if err := trace.Attach(t.first); err != nil {
		return Run{}, err
	}
	unix.PtraceSyscall(t.first, 0)
	// After the end there may still be one that was being started: all are waited for.
	for len(t.alive) > 0 || t.run.Stopped != "" {
		pid, status, _, err := trace.Next()
		if err == unix.ECHILD {
			break
		}
		if err != nil {
			return t.run, fmt.Errorf("unable to wait for %s: %w", c.Path, err)
		}
		t.event(pid, status)
	}
	return t.run, nil
}

// A tracer follows one program with its threads and children.
type tracer struct {
	first int // process number of the program
	nth   int
	at    func()
	count int
	alive map[int]bool
	run   Run
}

// event deals with one stop or end of a thread, and lets it go on.
func (t *tracer) event(pid int, status unix.WaitStatus) {
	if !status.Stopped() {
		delete(t.alive, pid)
		if pid == t.first && status.Exited() && status.ExitStatus() == 0 {
			t.run.Accepted = true
		}
		return
	}
	t.alive[pid] = true
	if t.run.Stopped != "" { // it was being started when the others were killed
		unix.Kill(pid, unix.SIGKILL)
	}
	deliver := 0
	switch signal := status.StopSignal(); {
	case signal == unix.SIGTRAP|0x80:
		t.call(pid)
	case signal != unix.SIGTRAP && signal != unix.SIGSTOP:
		deliver = int(signal)
	}
	unix.PtraceSyscall(pid, deliver)
}

// call looks at a system call that a thread is about to make.
func (t *tracer) call(pid int) {
	number, args, entering := trace.SystemCall(pid)
	name, durable := durableCalls[number]
	if !entering || !durable || t.run.Stopped != "" {
		return
	}
	if number == unix.SYS_OPENAT && args[2]&unix.O_CREAT == 0 {
		return
	}
	if t.count++; t.count != t.nth {
		return
	}
	t.run.Stopped = name
	if group, _ := trace.Kin(pid); number == unix.SYS_EXIT_GROUP && args[0] == 0 && group == t.first {
		t.run.Accepted = true // if it was not over already
	}
	t.at()
	for p := range t.alive {
		unix.Kill(p, unix.SIGKILL)
	}
}
