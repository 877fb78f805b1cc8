package process

import "golang.org/x/sys/unix"

// OpenFiles is how many descriptors the process may have. (The Go runtime has
// raised the limit as far as it goes; programs started from here get the original.)
func OpenFiles() uint64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 1024
	}
	return limit.Cur
}

// WithholdInherited keeps programs that are started from here from getting
// descriptors above 2 that this process was started with: they are those of root,
// or of who knows whom, and the programs are users'.
func WithholdInherited() {
	if unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	for _, fd := range openDescriptors() { // a kernel before 5.11
		if fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}
