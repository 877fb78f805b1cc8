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
