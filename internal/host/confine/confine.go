// Package confine has a process give up, for good, what it does not need of the machine,
// so that whoever takes it over gets little:
//
//   - Files: only what Rules name can be read or changed, and nothing can be executed.
//     What is open already stays open.
//   - Programs that are set-uid, or have capabilities, give nothing any more
//     (no_new_privs).
//   - Processes that are not confined in the same way cannot be traced or, from Linux
//     6.7 to 6.15 on, signalled, nor abstract sockets be connected to.
//
// It is done by Landlock, landlock(7), of whatever version the kernel has from 2 on. Where
// it has none, the program goes on: it is as safe as its user is, which is what everything
// else relies on, and Version tells who asks (qmail-showctl). An error must end the
// program, since somebody may have seen to it.
//
// What Landlock does not cover: chmod, chown, times and the look at a file by stat; sockets
// that have a path; the network, where TCP could be refused, and MPTCP would go on. A
// rule is about the directory that has the path now: one that takes its place later is
// out of reach.
package confine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// errUnsupported says that the kernel has no Landlock, or not enough of it, or that this
// program was built in a way that it cannot be used.
var errUnsupported = errors.New("the kernel does not confine processes")

// Enough is the first version that can be used: in version 1 nobody may move a file.
const Enough = 2

// disabled is set by the linker where tests count coverage, which writes files of its own.
var disabled string

// What a Rule allows with a file, or with everything below a directory.
const (
	Read   = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	Update = Read | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE // of files that are there
	Remove = unix.LANDLOCK_ACCESS_FS_READ_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE
	Change = Update | Remove | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_REFER
)

// ofFiles are the rights that a rule about a file may have.
const ofFiles = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE |
	unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE

// A Rule allows something with what is at a path, links followed. There may be nothing,
// or nothing that the user can get at.
type Rule struct {
	Path  string
	Allow uint64
}

// Version is that of Landlock in the kernel, or 0.
func Version() int { return ask(unix.LANDLOCK_CREATE_RULESET_VERSION) }

// Self confines this process: all of its threads, and whatever it starts.
func Self(rules ...Rule) error {
	if err := self(rules); err != errUnsupported {
		return err
	}
	return nil
}

func self(rules []Rule) error {
	version := Version()
	if version < Enough || disabled != "" {
		return errUnsupported
	}
	attr := attributes(version)
	set, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), sizeOf(version), 0)
	if errno != 0 {
		return os.NewSyscallError("landlock_create_ruleset", errno)
	}
	defer unix.Close(int(set))
	for _, r := range rules {
		if err := add(int(set), r, attr.Handled_access_fs); err != nil {
			return fmt.Errorf("unable to allow %s: %w", r.Path, err)
		}
	}
	// Without no_new_privs an attacker could have a set-uid program misled by what it
	// cannot reach; so the kernel wants it.
	if _, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); errno == unix.ENOTSUP {
		return errUnsupported // with cgo there are threads that Go does not know
	} else if errno != 0 {
		return os.NewSyscallError("prctl", errno)
	}
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, set, 0, 0); errno != 0 {
		return os.NewSyscallError("landlock_restrict_self", errno)
	}
	return nil
}

// ask asks for the version, or for the faults of it that are fixed.
func ask(what uintptr) int {
	n, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, what)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// attributes is all that a version can refuse of files and processes.
func attributes(version int) unix.LandlockRulesetAttr {
	a := unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_REFER<<1 - 1}
	if version >= 3 {
		a.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version >= 5 {
		a.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if version >= 6 {
		a.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
		// At first that was about the threads of one process too, and the Go runtime
		// signals threads.
		const threadsMay = 1 << 1
		if ask(unix.LANDLOCK_CREATE_RULESET_ERRATA)&threadsMay != 0 {
			a.Scoped |= unix.LANDLOCK_SCOPE_SIGNAL
		}
	}
	return a
}

// sizeOf is how much of the attributes a version knows.
func sizeOf(version int) uintptr {
	var a unix.LandlockRulesetAttr
	if version < 6 {
		return unsafe.Offsetof(a.Handled_access_net)
	}
	return unsafe.Offsetof(a.Quiet_access_fs)
}

func add(set int, r Rule, handled uint64) error {
	fd, err := unix.Open(r.Path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil // it is out of reach without a rule
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	allow := r.Allow & handled
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		allow &= ofFiles
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: allow, Parent_fd: int32(fd)} // the kernel reads 12 bytes
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(set), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("landlock_add_rule", errno)
	}
	return nil
}

// Settings are rules for reading what a program is told by files: those below a directory
// such as control, also where a file, or the directory, is a link to somewhere else, and
// those of the system.
func Settings(dir string) []Rule {
	rules := []Rule{{dir, Read}, {"/etc", Read}, {"/run", Read}, {"/usr", Read}}
	entries, _ := os.ReadDir(dir) // who cannot read it will say so
	for _, e := range entries {
		if e.Type()&fs.ModeSymlink == 0 {
			continue
		}
		if target, err := filepath.EvalSymlinks(filepath.Join(dir, e.Name())); err == nil {
			rules = append(rules, Rule{filepath.Dir(target), Read}) // where a new one will be moved to
		}
	}
	return rules
}
