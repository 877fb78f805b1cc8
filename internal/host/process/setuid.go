package process

import (
	"math"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// runtimeVariables steer the Go runtime of whatever program inherits them, also
// of one that is set-uid to another user. GOTRACEBACK is not among them: in a
// set-uid program the runtime itself makes it "none", and Start sets another.
var runtimeVariables = []string{"GODEBUG", "GOGC", "GOMEMLIMIT"}

// StartSetuid is Start for a program that anybody runs and that then has more
// rights than they: qmail-queue. Nothing of the caller's may steer it, so:
//
//   - If the environment holds a variable that the Go runtime reads, the program
//     is executed once more with an empty environment, for the runtime has read
//     it before the first line of ours ran. (What it prints because of it before
//     that goes to the caller's own descriptor 2.)
//   - Descriptors above 2 are closed, whatever they are: they may be so many that
//     no file could be opened.
//   - The signals of the terminal and those of CPU limits are ignored, as
//     qmail-queue always did: a message that is being accepted is not to be lost
//     because somebody hangs up.
func StartSetuid(umask int) {
	scrubRuntime()
	closeInherited()
	Start(umask)
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGVTALRM, syscall.SIGPROF, syscall.SIGXCPU)
}

// scrubRuntime starts the program over when its environment could steer the
// runtime. Where it cannot be started over, what can be undone is undone.
func scrubRuntime() {
	for _, v := range runtimeVariables {
		if _, set := os.LookupEnv(v); set {
			unix.Exec("/proc/self/exe", os.Args, nil)
			os.Clearenv()
			debug.SetGCPercent(100)
			debug.SetMemoryLimit(math.MaxInt64)
			return
		}
	}
}

// closeInherited closes the descriptors above 2. The runtime may have opened
// some of its own to wait for others (epoll, eventfd); those stay.
func closeInherited() {
	names, err := readDescriptors()
	if err != nil {
		// No descriptor to be had, or no /proc. In the first case the runtime
		// has none either; in the second there is nothing better to do.
		unix.CloseRange(3, math.MaxUint32, 0)
		return
	}
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil || fd <= 2 {
			continue
		}
		if target, err := os.Readlink("/proc/self/fd/" + name); err == nil && !strings.HasPrefix(target, "anon_inode:") {
			unix.Close(fd)
		}
	}
}

func readDescriptors() ([]string, error) {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.Readdirnames(-1)
}
