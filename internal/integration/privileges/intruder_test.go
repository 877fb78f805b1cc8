package privileges

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// intrude tries whatever can be tried with each thing that a line of in names, such as
//
//	path /mnt/qmail/queue
//	process 17
//	tcp 127.0.0.1:25
//
// and says for each success what it was: "read path /mnt/qmail/queue". It leaves
// everything as it was.
func intrude(in io.Reader, out io.Writer) {
	for lines := bufio.NewScanner(in); lines.Scan(); {
		kind, target, _ := strings.Cut(lines.Text(), " ")
		for _, a := range attempts[kind] {
			if a.succeeds(target) {
				fmt.Fprintf(out, "%s %s %s\n", a.name, kind, target)
			}
		}
	}
}

type attempt struct {
	name     string
	succeeds func(target string) bool
}

var attempts = map[string][]attempt{
	"path": {
		{"read", reads}, {"write", writes}, {"create", creates}, {"remove", removes}, {"chmod", changesMode},
		{"run", runs},
		{"enter", func(path string) bool { return isDir(path) && os.Chdir(path) == nil && os.Chdir("/") == nil }},
	},
	"process": {
		{"signal", func(pid string) bool { return unix.Kill(number(pid), 0) == nil }},
		{"limit", func(pid string) bool {
			return unix.Prlimit(number(pid), unix.RLIMIT_NOFILE, nil, new(unix.Rlimit)) == nil
		}},
		{"trace", traces},
		{"mem", opens("mem")}, {"environ", readsOf("environ")}, {"maps", readsOf("maps")}, {"cmdline", readsOf("cmdline")},
		{"exe", links("exe")}, {"cwd", links("cwd")}, {"fd", opensDescriptor},
	},
	"tcp": {{"connect", func(address string) bool {
		conn, err := net.DialTimeout("tcp", address, 10*time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}}},
	"unix": {{"connect", func(name string) bool {
		for _, kind := range []string{"unix", "unixgram", "unixpacket"} {
			if conn, err := net.Dial(kind, name); err == nil {
				conn.Close()
				return true
			}
		}
		return false
	}}},
}

func number(pid string) int {
	n, _ := strconv.Atoi(pid)
	return n
}

func isRegular(path string) bool {
	var st unix.Stat_t
	return unix.Lstat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG
}

func isDir(path string) bool {
	var st unix.Stat_t
	return unix.Stat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR
}

// runs tells whether a program would run. Landlock is only asked by kernels that can be
// asked what would be (Linux 6.14); for others, what is confined can run nothing.
func runs(path string) bool {
	if !isRegular(path) {
		return false
	}
	if !confined {
		return unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS) == nil
	}
	const check = 0x10000 // AT_EXECVE_CHECK
	name, _ := unix.BytePtrFromString(path)
	list := []*byte{name, nil}
	_, _, errno := unix.Syscall6(unix.SYS_EXECVEAT, ^uintptr(99), uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(&list[0])),
		uintptr(unsafe.Pointer(&list[1])), check, 0)
	return errno == 0
}

// open opens without waiting; with permission to, it may still be impossible.
func open(path string, flags int) (fd int, permitted bool) {
	fd, err := unix.Open(path, flags|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	// A program that runs is busy before Landlock is asked.
	return fd, err == nil || err == unix.ENXIO || err == unix.ETXTBSY && !confined
}

func reads(path string) bool {
	fd, permitted := open(path, unix.O_RDONLY)
	if fd >= 0 {
		unix.Close(fd)
	}
	return permitted
}

func writes(path string) bool {
	if isDir(path) {
		return false
	}
	fd, permitted := open(path, unix.O_WRONLY)
	if fd >= 0 {
		unix.Close(fd)
	}
	return permitted
}

func creates(path string) bool {
	name := filepath.Join(path, ".intruder")
	fd, err := unix.Open(name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return false
	}
	unix.Close(fd)
	unix.Unlink(name)
	return true
}

// confined is whether the intruder has taken over a program that is confined.
var confined bool

// removes tries to remove a file as if it were a directory, and a directory as if it
// were a file. The kernel looks first whether it may, and only then at what it is.
func removes(path string) bool {
	var st unix.Stat_t
	switch {
	case confined: // Landlock is asked first, and about what the path is not: see package confine's test
		return false
	case unix.Lstat(path, &st) != nil: // whoever may not look may not remove
		return false
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return unix.Unlink(path) == unix.EISDIR
	}
	return unix.Rmdir(path) == unix.ENOTDIR
}

func changesMode(path string) bool {
	var st unix.Stat_t
	return unix.Lstat(path, &st) == nil && unix.Chmod(path, st.Mode&0o7777) == nil
}

// traces becomes the tracer of a process, in a thread that ends at once: so the process
// goes on without having been stopped.
func traces(pid string) bool {
	done := make(chan bool)
	go func() {
		runtime.LockOSThread() // and never unlocked
		_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(number(pid)), 0, 0, 0, 0)
		done <- errno == 0
	}()
	return <-done
}

func opens(file string) func(pid string) bool {
	return func(pid string) bool {
		f, err := os.OpenFile("/proc/"+pid+"/"+file, os.O_RDWR, 0)
		if err == nil {
			f.Close()
		}
		return err == nil
	}
}

func readsOf(file string) func(pid string) bool {
	return func(pid string) bool {
		f, err := os.Open("/proc/" + pid + "/" + file)
		if err != nil {
			return false
		}
		defer f.Close()
		_, err = f.Read(make([]byte, 1))
		return err == nil || err == io.EOF
	}
}

func links(name string) func(pid string) bool {
	return func(pid string) bool {
		_, err := os.Readlink("/proc/" + pid + "/" + name)
		return err == nil
	}
}

// opensDescriptor gets at a descriptor of a process, in one of two ways.
func opensDescriptor(pid string) bool {
	if entries, err := os.ReadDir("/proc/" + pid + "/fd"); err == nil && len(entries) > 0 {
		return true
	}
	pidfd, err := unix.PidfdOpen(number(pid), 0)
	if err != nil {
		return false
	}
	defer unix.Close(pidfd)
	fd, err := unix.PidfdGetfd(pidfd, 0, 0)
	if err == nil {
		unix.Close(fd)
	}
	return err == nil || err == unix.EBADF
}
