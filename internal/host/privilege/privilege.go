// Package privilege gives up root's rights for good.
package privilege

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"goqmail/internal/host/account"
)

// ErrRoot says that a process would go on as root.
var ErrRoot = errors.New("must not run as root")

// Drop turns a process of root into one of a user, with the user's group and no
// other, in the one order that works: groups, group, user. It then looks whether
// that is what has become of it, and that there is no way back; where it cannot be
// sure, the error must end the process.
//
// A process that is not root stays who it is. All threads change at once.
func Drop(user string) error {
	if os.Getuid() != 0 && os.Geteuid() != 0 {
		return nil
	}
	u, err := account.LookupUser(user)
	if err != nil {
		return err
	}
	if u.UID == 0 || u.GID == 0 {
		return fmt.Errorf("user %s: %w", user, ErrRoot)
	}
	return become(int(u.UID), int(u.GID))
}

// Become is Drop to a user and a group that are known by their numbers. A process
// that is not root must be that user already.
func Become(uid, gid uint32) error {
	if os.Getuid() != 0 && os.Geteuid() != 0 {
		if os.Geteuid() != int(uid) || os.Getegid() != int(gid) {
			return fmt.Errorf("user number %d: %w", uid, unix.EPERM)
		}
		return nil
	}
	if uid == 0 || gid == 0 {
		return fmt.Errorf("user number %d, group number %d: %w", uid, gid, ErrRoot)
	}
	return become(int(uid), int(gid))
}

// Renounce gives up what a set-uid program has of root when root has called it: the real
// user and the groups, by which it could be root whenever it wants. It stays the user
// that it is set to, with that group and no other. Called by anybody else, or without
// being set-uid, a process stays who it is: its caller can end it, and his limits and
// not the user's count.
func Renounce(group string) error {
	uid := os.Geteuid()
	if os.Getuid() != 0 || uid == 0 {
		return nil
	}
	gid, err := account.LookupGroup(group)
	if err != nil {
		return err
	}
	// The capability to change groups comes and goes with the effective user.
	if err := syscall.Setresuid(-1, 0, -1); err != nil {
		return os.NewSyscallError("setresuid", err)
	}
	// A limit of root's processes is not meant for those of the user. Where it cannot be
	// raised it may be high enough.
	unix.Setrlimit(unix.RLIMIT_NPROC, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY})
	return Become(uint32(uid), gid)
}

func become(uid, gid int) error {
	// unix.Setgroups would change this one thread.
	if err := syscall.Setgroups(nil); err != nil {
		return os.NewSyscallError("setgroups", err)
	}
	if err := syscall.Setresgid(gid, gid, gid); err != nil {
		return os.NewSyscallError("setresgid", err)
	}
	if err := syscall.Setresuid(uid, uid, uid); err != nil {
		return os.NewSyscallError("setresuid", err)
	}
	return check(uid, gid)
}

// check makes sure that a process is a user with a group and nothing else, and
// that it cannot become root again.
func check(uid, gid int) error {
	r, e, s := unix.Getresuid()
	rg, eg, sg := unix.Getresgid()
	groups, err := unix.Getgroups()
	switch {
	case r != uid || e != uid || s != uid || rg != gid || eg != gid || sg != gid:
		return errors.New("the kernel did not change user and group")
	case err != nil:
		return os.NewSyscallError("getgroups", err)
	case len(groups) > 0:
		return errors.New("supplementary groups are left")
	case syscall.Setresgid(0, 0, 0) == nil || syscall.Setresuid(0, 0, 0) == nil:
		return fmt.Errorf("a way back is left: %w", ErrRoot)
	}
	return checkCapabilities()
}

// checkCapabilities makes sure that there are none, as there may be in spite of a
// change of the user under unusual secure bits, capabilities(7).
func checkCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return os.NewSyscallError("capget", err)
	}
	for _, d := range data {
		if d.Permitted != 0 || d.Effective != 0 {
			return errors.New("capabilities are left")
		}
	}
	return nil
}
