//go:build !amd64

package trace

import "golang.org/x/sys/unix"

// CanFail tells whether a Fault can make a call fail on this architecture.
const CanFail = false

func skip(int) {}

func setResult(int, unix.Errno) {}

func stackPointer(int) uint64 { return 0 }
