package powercut

import "golang.org/x/sys/unix"

// The older names of the same calls, which newer architectures lack.
func init() {
	for number, name := range map[uint64]string{
		unix.SYS_CREAT:  "creat",
		unix.SYS_LINK:   "link",
		unix.SYS_UNLINK: "unlink",
		unix.SYS_RENAME: "rename",
		unix.SYS_MKDIR:  "mkdir",
	} {
		durableCalls[number] = name
	}
}
