package trace

import "golang.org/x/sys/unix"

// CanFail tells whether a Fault can make a call fail on this architecture.
const CanFail = true

// skip has the kernel do nothing for the call that a thread is about to make.
func skip(tid int) {
	var r unix.PtraceRegs
	if unix.PtraceGetRegs(tid, &r) == nil {
		r.Orig_rax = ^uint64(0)
		unix.PtraceSetRegs(tid, &r)
	}
}

// setResult has the call that a thread is about to return from fail.
func setResult(tid int, e unix.Errno) {
	var r unix.PtraceRegs
	if unix.PtraceGetRegs(tid, &r) == nil {
		r.Rax = -uint64(e)
		unix.PtraceSetRegs(tid, &r)
	}
}

// stackPointer is that of a thread.
func stackPointer(tid int) uint64 {
	var r unix.PtraceRegs
	unix.PtraceGetRegs(tid, &r)
	return r.Rsp
}
