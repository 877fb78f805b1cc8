// Package socket has listening TCP sockets, those that a process opens for itself
// and those that it was given, as descriptors and addresses and no more: nothing
// here links the net package.
//
// Sockets that are accepted are in non-blocking mode, close on exec, and send what
// is written at once (TCP_NODELAY). IPv4 addresses are IPv4 addresses also where
// the kernel tells them in the form of IPv6.
package socket

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Listener is a listening socket.
type Listener struct {
	file  *os.File
	raw   syscall.RawConn
	local netip.AddrPort

	closed atomic.Bool
}

// An Accepted is a new connection.
type Accepted struct {
	FD            int
	Remote, Local netip.AddrPort
}

// Listen opens listening sockets. [::] stands for all addresses, those of IPv4 as
// well; only where 0.0.0.0 with the same port is among the addresses, too, each of
// them has a socket of its own.
func Listen(addresses []netip.AddrPort) ([]*Listener, error) {
	var list []*Listener
	for _, a := range addresses {
		l, err := listen(a, a.Addr() == netip.IPv6Unspecified() && has(addresses, netip.AddrPortFrom(netip.IPv4Unspecified(), a.Port())))
		if err != nil {
			CloseAll(list)
			return nil, fmt.Errorf("unable to listen on %s: %w", a, err)
		}
		list = append(list, l)
	}
	return list, nil
}

func has(list []netip.AddrPort, a netip.AddrPort) bool {
	for _, other := range list {
		if other == a {
			return true
		}
	}
	return false
}

func listen(a netip.AddrPort, only6 bool) (*Listener, error) {
	family := unix.AF_INET6
	var address unix.Sockaddr = &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
	if a.Addr().Is4() {
		family = unix.AF_INET
		address = &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return nil, err
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil && family == unix.AF_INET6 {
		only := 0
		if only6 {
			only = 1
		}
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only)
	}
	if err == nil {
		err = unix.Bind(fd, address)
	}
	if err == nil {
		const backlog = 1 << 16 // the kernel lowers it to net.core.somaxconn
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return take(fd)
}

// take makes a listener of a descriptor.
func take(fd int) (*Listener, error) {
	address, err := unix.Getsockname(fd)
	if err != nil {
		return nil, os.NewSyscallError("getsockname", err)
	}
	local, ok := AddrPort(address)
	if !ok {
		return nil, errors.New("not a TCP socket")
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	// On Linux the sockets that it accepts inherit this.
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return nil, os.NewSyscallError("setsockopt", err)
	}
	file := os.NewFile(uintptr(fd), local.String())
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &Listener{file: file, raw: raw, local: local}, nil
}

// Addr is where the socket listens.
func (l *Listener) Addr() netip.AddrPort { return l.local }

// Close stops listening; an Accept in progress ends with os.ErrClosed.
func (l *Listener) Close() error {
	l.closed.Store(true)
	return l.file.Close()
}

// CloseAll closes listeners.
func CloseAll(list []*Listener) {
	for _, l := range list {
		l.Close()
	}
}

// Accept waits for a connection. ErrPassing says that the next may well work;
// os.ErrClosed that the listener is closed; anything else that the system is out of
// something.
func (l *Listener) Accept() (Accepted, error) {
	var a Accepted
	var remote unix.Sockaddr
	var failed error
	err := l.raw.Read(func(fd uintptr) bool {
		a.FD, remote, failed = unix.Accept4(int(fd), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		return failed != unix.EAGAIN
	})
	switch {
	case err != nil && l.closed.Load(): // a RawConn has no error of its own for that
		return a, os.ErrClosed
	case err != nil:
		return a, err
	case failed != nil:
		return a, acceptError(failed)
	}
	a.Local = l.local
	if l.local.Addr().IsUnspecified() {
		local, err := unix.Getsockname(a.FD)
		if err != nil {
			unix.Close(a.FD)
			return a, ErrPassing
		}
		a.Local, _ = AddrPort(local)
	}
	var ok bool
	if a.Remote, ok = AddrPort(remote); !ok {
		unix.Close(a.FD)
		return a, ErrPassing
	}
	return a, nil
}

// ErrPassing says that a connection was gone before it could be accepted.
var ErrPassing = errors.New("the connection is gone")

// acceptError tells the errors of a connection, which accept(2) passes on, from
// those of the listener.
func acceptError(err error) error {
	switch err {
	case unix.EBADF, unix.EINVAL, unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
		return os.NewSyscallError("accept", err)
	}
	return ErrPassing
}

// AddrPort is the address in a socket address of IPv4 or IPv6.
func AddrPort(s unix.Sockaddr) (netip.AddrPort, bool) {
	switch s := s.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(s.Addr), uint16(s.Port)), true
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(s.Addr).Unmap(), uint16(s.Port)), true
	}
	return netip.AddrPort{}, false
}
