package trace

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Attach waits for a process that was started to be traced (SysProcAttr.Ptrace), and has all
// that it starts traced as well, and killed when the tracer ends. The process is stopped
// before its first call.
func Attach(pid int) error {
	if _, err := unix.Wait4(pid, nil, 0, nil); err != nil {
		return fmt.Errorf("unable to wait for %d: %w", pid, err)
	}
	const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK |
		unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_EXITKILL
	if err := unix.PtraceSetOptions(pid, options); err != nil {
		return fmt.Errorf("unable to trace %d: %w", pid, err)
	}
	return nil
}

// Next waits for a stop, or the end, of any thread that is traced. Where there is none any
// more the error is unix.ECHILD.
func Next() (tid int, status unix.WaitStatus, used unix.Rusage, err error) {
	for {
		tid, err = unix.Wait4(-1, &status, unix.WALL, &used)
		if err != unix.EINTR {
			return tid, status, used, err
		}
	}
}

// Kin tells which process a thread belongs to, and whose child that is.
func Kin(tid int) (group, parent int) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	number := func(field string) (n int) {
		_, rest, _ := strings.Cut(string(status), "\n"+field+":")
		fmt.Sscan(rest, &n)
		return n
	}
	return number("Tgid"), number("PPid")
}
