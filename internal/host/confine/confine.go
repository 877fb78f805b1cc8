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
// A program that starts one that is set-uid cannot give that up. Heirs is for a parent of it
// that is root, and has it begin with files given up already, and whatever it starts.
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

// ErrUnsupported says that the kernel has no Landlock, or not enough of it, or that this
// process may not use it.
var ErrUnsupported = errors.New("this kernel does not confine processes")

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
	Listen = unix.LANDLOCK_ACCESS_FS_MAKE_SOCK // at a path
	Run    = Read | unix.LANDLOCK_ACCESS_FS_EXECUTE
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
	if err := self(rules, false); err != ErrUnsupported {
		return err
	}
	return nil
}

// Heirs confines this process, what it becomes and whatever that starts, as Self does, but
// leaves programs that are set-uid what they are. These must be able to live by the rules.
// It is for root, if root has CAP_SYS_ADMIN, which in many containers it has not. The error
// is ErrUnsupported where that, or Landlock, is missing.
func Heirs(rules ...Rule) error {
	err := self(rules, true)
	if errors.Is(err, unix.EPERM) {
		return ErrUnsupported
	}
	return err
}

func self(rules []Rule, setUID bool) error {
	version := Version()
	if version < Enough || disabled != "" {
		return ErrUnsupported
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
	// cannot reach; so the kernel wants it, of everybody but root.
	if !setUID {
		if err := inAllThreads("prctl", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1); err != nil {
			return err
		}
	}
	return inAllThreads("landlock_restrict_self", unix.SYS_LANDLOCK_RESTRICT_SELF, set, 0)
}

func inAllThreads(name string, call, a, b uintptr) error {
	switch _, _, errno := syscall.AllThreadsSyscall6(call, a, b, 0, 0, 0, 0); errno {
	case 0:
		return nil
	case unix.ENOTSUP:
		return ErrUnsupported // with cgo there are threads that Go does not know
	default:
		return os.NewSyscallError(name, errno)
	}
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
	for _, target := range links(dir) {
		rules = append(rules, Rule{filepath.Dir(target), Read}) // where a new one will be moved to
	}
	return rules
}

// links is where the links in a directory lead to.
func links(dir string) (targets []string) {
	entries, _ := os.ReadDir(dir) // who cannot read it will say so
	for _, e := range entries {
		if e.Type()&fs.ModeSymlink == 0 {
			continue
		}
		if target, err := filepath.EvalSymlinks(filepath.Join(dir, e.Name())); err == nil {
			targets = append(targets, target)
		}
	}
	return targets
}

// WithQueue is what a program needs that starts the qmail-queue of a home: its settings,
// and what qmail-queue needs, and what the Go runtime looks at when a program starts. A
// directory of the queue may be a link to another filesystem, and the programs may be links.
func WithQueue(home string) []Rule {
	queue := home + "/queue"
	rules := append(Settings(home+"/control"), Rule{queue, Change | Listen},
		Rule{"/dev/null", Update}, Rule{"/proc/self", Read}, Rule{"/sys/fs/cgroup", Read}, Rule{"/sys/kernel/mm/transparent_hugepage", Read})
	for _, dir := range []string{queue, queue + "/mess", queue + "/info", queue + "/local", queue + "/remote"} {
		for _, target := range links(dir) {
			rules = append(rules, Rule{target, Change | Listen})
		}
	}
	for _, program := range []string{"qmail-queue", "qmail-send"} {
		if target, err := filepath.EvalSymlinks(home + "/bin/" + program); err == nil {
			rules = append(rules, Rule{filepath.Dir(target), Run}) // where the next version will be
		}
	}
	return rules
}
