package trace

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// The clock that programs see is the kernel's, and a tracer can change what the kernel
// says. Programs do not ask it, though, but read the clock from a page of memory, the vDSO,
// which the kernel tells them about at their start; so that is hidden from them, and they
// have to ask. Times of files are the kernel's all the same.

// hideVDSO takes the vDSO out of what a program is told that was executed just now.
func hideVDSO(tid int) {
	at := stackPointer(tid)
	if at == 0 {
		return
	}
	word := func() uint64 {
		var b [8]byte
		unix.PtracePeekData(tid, uintptr(at), b[:])
		at += 8
		return binary.NativeEndian.Uint64(b[:])
	}
	arguments := word()
	at += 8 * (arguments + 1) // and a zero
	for word() != 0 {         // the environment
	}
	const vdso, ignore = 33, 1
	for {
		switch word() {
		case 0:
			return
		case vdso:
			unix.PtracePokeData(tid, uintptr(at-8), binary.NativeEndian.AppendUint64(nil, ignore))
			return
		}
		at += 8
	}
}

// shift adds seconds to the time that a call has stored.
func shift(tid int, address uint64, seconds int64) {
	var b [8]byte
	unix.PtracePeekData(tid, uintptr(address), b[:])
	now := int64(binary.NativeEndian.Uint64(b[:])) + seconds
	unix.PtracePokeData(tid, uintptr(address), binary.NativeEndian.AppendUint64(nil, uint64(now)))
}
