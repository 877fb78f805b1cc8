// Package child starts other programs with exactly the descriptors, directory,
// identity and environment that are asked for, and waits for them.
//
// It stands in for os/exec because mail programs talk over fixed descriptors:
// no goroutine copies anything, nothing but Files is inherited, a program is
// named by its path and never looked up in PATH (but for what Find says), and a
// pipe that a C program gets is a blocking one. Signals are at their default
// action in the child.
package child

import (
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Command is a program to start.
type Command struct {
	Path string   // what is executed; not looked up in PATH
	Args []string // argument 0 first
	Env  []string // nil means the environment of this process
	Dir  string   // working directory; empty means that of this process

	// Files become descriptors 0, 1, 2 and so on; where one is nil, the
	// descriptor is closed in the child.
	Files []*os.File

	// As, when not nil, is who the child becomes. It has no supplementary
	// groups then.
	As *Identity
}

// Identity is a user and a group.
type Identity struct{ UID, GID uint32 }

// Process is a child that was started.
type Process struct {
	Pid int

	mu     sync.Mutex
	reaped bool // the number may belong to another process now
}

// Start starts the program. An error means that it does not run: there is no
// such directory or program, or no process to be had.
func Start(c Command) (*Process, error) {
	attr := &syscall.ProcAttr{Dir: c.Dir, Env: c.Env, Sys: &syscall.SysProcAttr{}}
	if c.Env == nil {
		attr.Env = os.Environ()
	}
	for _, f := range c.Files {
		fd := ^uintptr(0)
		if f != nil {
			fd = f.Fd()
		}
		attr.Files = append(attr.Files, fd)
	}
	if c.As != nil {
		attr.Sys.Credential = &syscall.Credential{Uid: c.As.UID, Gid: c.As.GID}
	}
	pid, err := syscall.ForkExec(c.Path, c.Args, attr)
	if err != nil {
		return nil, runError(c.Path, err)
	}
	return &Process{Pid: pid}, nil
}

func runError(program string, err error) error {
	return fmt.Errorf("unable to run %s: %w", program, err)
}

// Status is how a child ended.
type Status struct {
	Crashed bool // by a signal
	Code    int  // exit code, where it did not crash
}

// Wait waits for the end of the child. It holds an operating system thread
// while it waits, so read its output to the end first where there is any.
func (p *Process) Wait() (Status, error) {
	for { // without taking the number away from under Kill
		err := unix.Waitid(unix.P_PID, p.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return Status{}, fmt.Errorf("unable to wait for process %d: %w", p.Pid, err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var ws unix.WaitStatus
	for {
		switch _, err := unix.Wait4(p.Pid, &ws, 0, nil); {
		case err == unix.EINTR:
		case err != nil:
			return Status{}, fmt.Errorf("unable to wait for process %d: %w", p.Pid, err)
		default:
			p.reaped = true
			return Status{Crashed: ws.Signaled(), Code: max(0, ws.ExitStatus())}, nil
		}
	}
}

// Kill ends the child at once, if it may. It does nothing to a child that Wait has
// seen the end of, and may be called while Wait waits.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		unix.Kill(p.Pid, unix.SIGKILL)
	}
}

// PipeTo makes a pipe to a child: theirs is the end to put into Files and to
// close after Start, ours the end to write to. Writing waits in the poller.
func PipeTo() (theirs, ours *os.File, err error) {
	r, w, err := pipe()
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(r), "|child"), pollable(w), nil
}

// PipeFrom makes a pipe from a child, with the ends as in PipeTo.
func PipeFrom() (theirs, ours *os.File, err error) {
	r, w, err := pipe()
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(w), "child|"), pollable(r), nil
}

func pipe() (r, w int, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return 0, 0, fmt.Errorf("unable to create pipe: %w", err)
	}
	return p[0], p[1], nil
}

// pollable makes a descriptor that is ours alone non-blocking, so that waiting
// for it takes no thread.
func pollable(fd int) *os.File {
	unix.SetNonblock(fd, true)
	return os.NewFile(uintptr(fd), "pipe")
}
