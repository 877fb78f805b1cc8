package confine

import (
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// startLimit is how long it may take to confine all threads.
const startLimit = time.Minute

// within does f, and has the kernel kill this process if that does not end in time.
//
// The runtime has every thread make a system call by a signal, and waits for all of them
// with the world stopped. Once in some 70,000 starts, on a machine with a load of 90, it
// was seen to wait for a thread that it was just starting, for ever. A process that is
// killed is a deferral, or is started anew; one that hangs holds mail up until somebody
// looks. Nothing in the process can watch over it, since all of it is stopped.
func within(limit time.Duration, f func() error) error {
	// struct sigevent, of which the kernel wants 64 bytes
	event := struct {
		value          uint64
		signal, notify int32
		_              [48]byte
	}{signal: int32(unix.SIGKILL)}
	var timer int32
	_, _, errno := unix.Syscall(unix.SYS_TIMER_CREATE, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&event)), uintptr(unsafe.Pointer(&timer)))
	if errno != 0 {
		return os.NewSyscallError("timer_create", errno)
	}
	defer unix.Syscall(unix.SYS_TIMER_DELETE, uintptr(timer), 0, 0)
	setting := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(limit))}
	if _, _, errno := unix.Syscall6(unix.SYS_TIMER_SETTIME, uintptr(timer), 0, uintptr(unsafe.Pointer(&setting)), 0, 0, 0); errno != 0 {
		return os.NewSyscallError("timer_settime", errno)
	}
	return f()
}
