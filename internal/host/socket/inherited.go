package socket

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The first descriptor that is passed, and how many may be.
const (
	firstPassed = 3
	mostPassed  = 1 << 10
)

// Passed tells how many descriptors, from 3 on, a service manager says in the
// environment that it has passed to this process (sd_listen_fds(3)):
//
//	LISTEN_PID=4711     the process that is meant
//	LISTEN_FDS=2        descriptors 3 and 4
//
// For another process than pid it is 0, and if what there is makes no sense as
// well: an environment alone must not turn descriptors into sockets.
func Passed(environ []string, pid int) int {
	meant, ok1 := number(environ, "LISTEN_PID")
	n, ok2 := number(environ, "LISTEN_FDS")
	if !ok1 || !ok2 || meant != pid || n > mostPassed {
		return 0
	}
	return n
}

// number finds a number in an environment, which must be nothing but digits.
func number(environ []string, name string) (int, bool) {
	for _, v := range environ {
		value, found := strings.CutPrefix(v, name+"=")
		if !found {
			continue
		}
		n, err := strconv.ParseUint(value, 10, 31)
		return int(n), err == nil
	}
	return 0, false
}

// Inherited returns the listening sockets that this process was given: descriptor
// 0, as inetd does with "wait", or those that Passed tells of. There are none, and
// no error, if these are no listening sockets but, say, the connection of one
// client. An error says that some are and others are not, or that one is no TCP
// socket.
func Inherited(environ []string, pid int) ([]*Listener, error) {
	var list []*Listener
	passed := Passed(environ, pid)
	for i := range passed {
		fd := firstPassed + i
		if !listening(fd) {
			continue
		}
		l, err := take(fd)
		if err != nil {
			return nil, fmt.Errorf("unable to listen on descriptor %d: %w", fd, err)
		}
		list = append(list, l)
	}
	switch {
	case len(list) > 0 && len(list) < passed:
		return nil, fmt.Errorf("of %d descriptors passed only %d are listening sockets", passed, len(list))
	case len(list) > 0 || !listening(0):
		return list, nil
	}
	// Descriptor 0 stays open as something harmless.
	fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, firstPassed)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	l, err := take(fd)
	if err != nil {
		return nil, fmt.Errorf("unable to listen on descriptor 0: %w", err)
	}
	return []*Listener{l}, nil
}

func listening(fd int) bool {
	on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return err == nil && on == 1
}
