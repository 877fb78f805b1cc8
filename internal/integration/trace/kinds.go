package trace

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A call is a system call that a thread is about to make.
type call struct {
	tid    int
	number uint64
	args   [6]uint64
}

// A kind of call is one for which the same errors make sense.
type kind int

const (
	other     kind = iota
	opens          // a file, by name
	creates        // a name, or what is behind it
	removes        // a name
	changes        // what a file is like
	looks          // at a file
	reads          // a file or a directory
	writes         // a file, or makes that durable
	closes         // a file
	allocates      // a descriptor
	talks          // through a pipe or a socket, and may wait
	waits          // for a child or a lock
	grows          // the memory of the process, or starts another
)

// kinds are those calls that a fault can meet, with their names.
var kinds = map[uint64]struct {
	name string
	kind kind
}{
	unix.SYS_OPENAT:          {"openat", opens},
	unix.SYS_LINKAT:          {"linkat", creates},
	unix.SYS_SYMLINKAT:       {"symlinkat", creates},
	unix.SYS_MKDIRAT:         {"mkdirat", creates},
	unix.SYS_RENAMEAT:        {"renameat", creates},
	unix.SYS_RENAMEAT2:       {"renameat2", creates},
	unix.SYS_UNLINKAT:        {"unlinkat", removes},
	unix.SYS_UTIMENSAT:       {"utimensat", changes},
	unix.SYS_FCHMOD:          {"fchmod", changes},
	unix.SYS_FCHMODAT:        {"fchmodat", changes},
	unix.SYS_FCHOWN:          {"fchown", changes},
	unix.SYS_FCHOWNAT:        {"fchownat", changes},
	unix.SYS_READ:            {"read", reads},
	unix.SYS_PREAD64:         {"pread64", reads},
	unix.SYS_READLINKAT:      {"readlinkat", looks},
	unix.SYS_GETDENTS64:      {"getdents64", reads},
	unix.SYS_NEWFSTATAT:      {"newfstatat", looks},
	unix.SYS_FSTAT:           {"fstat", looks},
	unix.SYS_STATX:           {"statx", looks},
	unix.SYS_FACCESSAT:       {"faccessat", looks},
	unix.SYS_CHDIR:           {"chdir", reads},
	unix.SYS_FCHDIR:          {"fchdir", reads},
	unix.SYS_WRITE:           {"write", writes},
	unix.SYS_PWRITE64:        {"pwrite64", writes},
	unix.SYS_WRITEV:          {"writev", writes},
	unix.SYS_COPY_FILE_RANGE: {"copy_file_range", writes},
	unix.SYS_SENDFILE:        {"sendfile", writes},
	unix.SYS_SPLICE:          {"splice", writes},
	unix.SYS_FTRUNCATE:       {"ftruncate", writes},
	unix.SYS_FSYNC:           {"fsync", writes},
	unix.SYS_FDATASYNC:       {"fdatasync", writes},
	unix.SYS_SYNCFS:          {"syncfs", writes},
	unix.SYS_CLOSE:           {"close", closes},
	unix.SYS_SOCKET:          {"socket", allocates},
	unix.SYS_SOCKETPAIR:      {"socketpair", allocates},
	unix.SYS_PIPE2:           {"pipe2", allocates},
	unix.SYS_EPOLL_CREATE1:   {"epoll_create1", allocates},
	unix.SYS_EVENTFD2:        {"eventfd2", allocates},
	unix.SYS_PIDFD_OPEN:      {"pidfd_open", allocates},
	unix.SYS_ACCEPT4:         {"accept4", allocates},
	unix.SYS_CONNECT:         {"connect", talks},
	unix.SYS_SENDTO:          {"sendto", talks},
	unix.SYS_RECVFROM:        {"recvfrom", talks},
	unix.SYS_SENDMSG:         {"sendmsg", talks},
	unix.SYS_RECVMSG:         {"recvmsg", talks},
	unix.SYS_PPOLL:           {"ppoll", talks},
	unix.SYS_EPOLL_PWAIT:     {"epoll_pwait", talks},
	unix.SYS_WAIT4:           {"wait4", waits},
	unix.SYS_WAITID:          {"waitid", waits},
	unix.SYS_FLOCK:           {"flock", waits},
	unix.SYS_MMAP:            {"mmap", grows},
	unix.SYS_CLONE:           {"clone", grows},
	unix.SYS_CLONE3:          {"clone3", grows},
	unix.SYS_EXECVE:          {"execve", grows},
}

// byName are the calls that name a file, with the argument that is its path, or the new
// one.
var byName = map[string]int{
	"openat": 1, "linkat": 3, "symlinkat": 2, "mkdirat": 1, "renameat": 3, "renameat2": 3, "unlinkat": 1,
	"utimensat": 1, "fchmodat": 1, "fchownat": 1, "readlinkat": 1, "newfstatat": 1, "statx": 1, "faccessat": 1,
	"chdir": 0, "execve": 0,
}

// failing says which kinds of calls can fail with an error. An fsync tells of what
// became of earlier writes; a close does, too, where a file is on NFS.
var failing = map[unix.Errno][]kind{
	unix.ENOSPC: {creates, writes},
	unix.EDQUOT: {creates, writes},
	unix.EIO:    {opens, creates, removes, changes, looks, reads, writes, closes},
	unix.EROFS:  {creates, removes, changes, writes},
	unix.EMFILE: {opens, allocates},
	unix.ENFILE: {opens, allocates},
	unix.EINTR:  {opens, talks, waits},
	unix.ENOMEM: {opens, creates, removes, looks, reads, allocates, talks, waits, grows},
}

// Errnos are the faults that there are.
var Errnos = []unix.Errno{Kill, unix.ENOSPC, unix.EDQUOT, unix.EIO, unix.EROFS, unix.EMFILE, unix.ENFILE, unix.EINTR, unix.ENOMEM}

// kind is what a call does, considering its descriptor.
func (c call) kind() kind {
	k := kinds[c.number].kind
	switch k {
	case opens:
		if c.args[2]&unix.O_CREAT != 0 {
			k = creates
		}
	case looks, reads, writes, closes:
		if _, named := byName[kinds[c.number].name]; named {
			break
		}
		switch file := c.file(int(c.args[0])); {
		case strings.HasPrefix(file, "/dev/"):
			return other
		case strings.HasPrefix(file, "/") && !c.fifo(int(c.args[0])):
		case k == closes, k == looks:
			return other
		default:
			return talks
		}
	}
	return k
}

// canFail tells whether an error makes sense for a call.
func (c call) canFail(e unix.Errno) bool {
	k := c.kind()
	if e == Kill {
		return true
	}
	if e == unix.ENOMEM && (c.number == unix.SYS_EPOLL_PWAIT || c.number == unix.SYS_READ && k == talks) {
		return false
	}
	// To open and to create are two things that a call can do at once.
	return in(failing[e], k) || k == creates && c.number == unix.SYS_OPENAT && in(failing[e], opens)
}

func in(list []kind, k kind) bool {
	for _, l := range list {
		if l == k {
			return true
		}
	}
	return false
}

// String is the call with the name that it is about.
func (c call) String() string {
	name := kinds[c.number].name
	if name == "" {
		name = fmt.Sprint("call ", c.number)
	}
	if arg, named := byName[name]; named {
		if path := c.text(c.args[arg]); path != "" {
			return name + " " + path
		}
	}
	switch c.number {
	case unix.SYS_PPOLL, unix.SYS_EPOLL_PWAIT, unix.SYS_WAIT4, unix.SYS_WAITID:
		return name
	}
	switch kinds[c.number].kind {
	case looks, reads, writes, closes, talks, changes, waits:
		return name + " " + c.file(int(int32(c.args[0])))
	}
	return name
}

// file is what a descriptor leads to.
func (c call) file(fd int) string {
	path, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", c.tid, fd))
	return path
}

// fifo tells whether a descriptor leads to a named pipe.
func (c call) fifo(fd int) bool {
	info, err := os.Stat(fmt.Sprintf("/proc/%d/fd/%d", c.tid, fd))
	return err == nil && info.Mode()&os.ModeNamedPipe != 0
}

// text is the string at an address of the thread.
func (c call) text(address uint64) string {
	text := make([]byte, 128)
	n, _ := unix.PtracePeekData(c.tid, uintptr(address), text)
	end := strings.IndexByte(string(text[:n]), 0)
	if end < 0 {
		end = n
	}
	return string(text[:end])
}
