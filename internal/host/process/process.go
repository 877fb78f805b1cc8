// Package process puts a program into the state that a mail program of the
// original begins in, and ends it with an exit code. Every main starts with
//
//	process.Start(0o077)
//
// and ends with process.Exit. What Start changes, and why:
//
//   - A panic, or a fatal error of the runtime, ends the process by SIGABRT. By
//     default it would exit with status 2, which the spawners of C qmail read as
//     a permanent failure: mail would bounce because of a bug.
//   - There is no core file, which could have passwords and mail in it, and no other
//     process of the same user can look into this one or steer it: a server that was
//     taken over shall not get at the clients of the next one. What is executed from
//     here may be looked into. A tracer from the beginning, and root, see all.
//   - SIGPIPE and SIGXFSZ no longer end the process, a write says EPIPE or EFBIG
//     instead. They are caught rather than ignored, so that programs started
//     from here (those in .qmail files) begin with the default action, as in C.
//   - The umask is set, but for a program that stands between a user and another
//     program: with KeepUmask that finds the user's.
//
// The Go runtime opens descriptors 0 to 2 on /dev/null where they are closed.
// Closed tells such a descriptor from one that the caller gave.
package process

import (
	"errors"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"goqmail/internal/mail/outcome"

	"golang.org/x/sys/unix"
)

// KeepUmask in place of a umask leaves it as it is.
const KeepUmask = -1

// Start must be the first call of every main.
func Start(umask int) {
	debug.SetTraceback("crash")
	unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) // cannot fail
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGXFSZ)
	if umask != KeepUmask {
		unix.Umask(umask)
	}
}

// Signals returns a channel of the signals that a server is told its duties by:
// TERM to end, HUP to read its control files again.
func Signals() <-chan os.Signal {
	c := make(chan os.Signal, 8)
	signal.Notify(c, syscall.SIGTERM, syscall.SIGHUP)
	return c
}

// Descriptors returns descriptors 0 to 2, with nil in place of one that the caller
// left closed, so that a child finds them as this process did.
func Descriptors() []*os.File {
	files := []*os.File{os.Stdin, os.Stdout, os.Stderr}
	for fd := range files {
		if Closed(fd) {
			files[fd] = nil
		}
	}
	return files
}

// Closed tells whether the caller left descriptor fd closed: it is closed, or
// it is what the runtime put in its place, /dev/null opened for both ways, or
// something that this process has opened for itself, which a caller's never looks
// like.
func Closed(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return true
	}
	if own, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || own&unix.FD_CLOEXEC != 0 {
		return true
	}
	var st, null unix.Stat_t
	if unix.Fstat(fd, &st) != nil || unix.Stat(os.DevNull, &null) != nil {
		return false
	}
	return flags&unix.O_ACCMODE == unix.O_RDWR && st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == null.Rdev
}

// Occupy sees to it that the descriptors up to last are in use, by copies of
// descriptor 0, unless they are already. A program that will put other files there
// calls it first thing: the runtime opens its own on the lowest free numbers, when it
// first waits for something, and ends the process when they are replaced.
func Occupy(last int) {
	for fd := range last + 1 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == unix.EBADF {
			unix.Dup3(0, fd, unix.O_CLOEXEC)
		}
	}
}

// Exit ends the program named, in the manner of the original: nothing is said
// about a success; a wrong call prints "program: usage: ..." and exits 100; any
// other error prints "program: fatal: ..." and exits 100 or 111, as
// outcome.Of decides; an outcome.Status prints its own text and exits with its
// own code.
func Exit(program string, err error) {
	var usage outcome.Usage
	var status *outcome.Status
	switch {
	case err == nil:
		os.Exit(0)
	case errors.As(err, &status):
		if status.Text != "" {
			say(status.Text)
		}
		os.Exit(status.Code)
	case errors.As(err, &usage):
		say(program + ": " + usage.Error())
		os.Exit(100)
	}
	say(program + ": fatal: " + err.Error())
	os.Exit(outcome.Of(err).ExitCode())
}

// say writes one line to descriptor 2 in one write.
func say(text string) {
	os.Stderr.WriteString(strings.TrimSuffix(text, "\n") + "\n")
}
