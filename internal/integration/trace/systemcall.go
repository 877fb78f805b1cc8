package trace

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// SystemCall asks which system call a stopped thread enters.
func SystemCall(pid int) (number uint64, args [6]uint64, entering bool) {
	const entry = 1
	var info struct { // struct ptrace_syscall_info, ptrace(2)
		op     uint8
		_      [3]uint8
		arch   uint32
		ip, sp uint64
		number uint64
		args   [6]uint64
		_      uint64
	}
	n, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(pid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	return info.number, info.args, errno == 0 && n > 0 && info.op == entry
}
