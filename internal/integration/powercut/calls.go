package powercut

import "golang.org/x/sys/unix"

// durableCalls are those that Sweep stops at; openat is one where it creates.
var durableCalls = map[uint64]string{
	unix.SYS_WRITE:      "write",
	unix.SYS_PWRITE64:   "pwrite64",
	unix.SYS_WRITEV:     "writev",
	unix.SYS_FSYNC:      "fsync",
	unix.SYS_FDATASYNC:  "fdatasync",
	unix.SYS_SYNCFS:     "syncfs",
	unix.SYS_FTRUNCATE:  "ftruncate",
	unix.SYS_OPENAT:     "openat",
	unix.SYS_LINKAT:     "linkat",
	unix.SYS_UNLINKAT:   "unlinkat",
	unix.SYS_RENAMEAT:   "renameat",
	unix.SYS_RENAMEAT2:  "renameat2",
	unix.SYS_MKDIRAT:    "mkdirat",
	unix.SYS_UTIMENSAT:  "utimensat",
	unix.SYS_EXIT_GROUP: "exit_group",
}
