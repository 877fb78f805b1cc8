package process

import (
	"os"
	"os/signal"
	"slices"
	"strconv"
	"syscall"

	"goqmail/internal/mail/outcome"

	"golang.org/x/sys/unix"
)

// runtimeVariables steer the Go runtime of whatever program inherits them, also
// of one that is set-uid to another user. GOTRACEBACK is not among them: for a
// set-uid program the runtime itself sets it to "none" before it reads it.
var runtimeVariables = []string{"GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT"}

// StartSetuid is Start for a program that anybody runs and that then has more
// rights than they: qmail-queue. Nothing of the caller's may steer it, so:
//
//   - If the environment holds a variable that steers the Go runtime, the program
//     is executed once more with an empty environment, for the runtime has read
//     it before the first line of ours ran. (What it prints because of it before
//     that goes to the caller's own descriptor 2.)
//   - Descriptors above 2 are closed, whatever they are: they may be so many that
//     no file could be opened. The program may keep some that it has looked at.
//   - The signals of the terminal and those of CPU limits are ignored, as
//     qmail-queue always did: a message that is being accepted is not to be lost
//     because somebody hangs up.
//
// What else comes from the caller does no harm: signals that are blocked or
// ignored but matter are caught, which undoes both; a limit that is too low makes
// a system call fail, or the runtime before main, and either is a temporary
// failure for whoever waits; the working directory is not used.
func StartSetuid(umask int, keep ...int) {
	Start(umask)
	scrubRuntime()
	closeInherited(keep)
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGVTALRM, syscall.SIGPROF, syscall.SIGXCPU)
}

// scrubRuntime starts the program over when its environment could steer the
// runtime. Where that is impossible, as without /proc, the program refuses to go
// on: its parent reads a temporary failure.
func scrubRuntime() {
	for _, v := range runtimeVariables {
		if _, set := os.LookupEnv(v); set {
			unix.Exec("/proc/self/exe", os.Args, nil)
			os.Exit(outcome.Deferral.ExitCode())
		}
	}
}

// closeInherited closes the descriptors above 2, but for those that have no file
// type. Such are the epoll and eventfd that the runtime may have opened for
// itself by now; a caller's, which nobody will look at, stay as well.
func closeInherited(keep []int) {
	for _, fd := range openDescriptors() {
		var st unix.Stat_t
		if fd > 2 && !slices.Contains(keep, fd) && unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT != 0 {
			unix.Close(fd)
		}
	}
}

// openDescriptors lists them; without /proc, or without a descriptor to be had
// to read it, it lists those that could be.
func openDescriptors() []int {
	var list []int
	entries, err := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil {
			list = append(list, fd)
		}
	}
	if err != nil {
		for fd := range 1024 {
			list = append(list, fd)
		}
	}
	return list
}
