package connection

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"goqmail/internal/host/control"
	"goqmail/internal/mail/received"
	"goqmail/internal/wire/submit"
)

const unknown = "unknown"

// Environment has the form of os.Environ: NAME=VALUE.
type Environment []string

// Lookup returns a variable; the first of several counts.
func (e Environment) Lookup(name string) (value string, set bool) {
	for _, v := range e {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

func (e Environment) or(name, def string) string {
	if value, set := e.Lookup(name); set {
		return value
	}
	return def
}

// Peer is what goes into the Received field.
func (e Environment) Peer() received.Peer {
	p := received.Peer{
		RemoteHost: e.or("TCPREMOTEHOST", unknown),
		RemoteIP:   e.or("TCPREMOTEIP", unknown),
		Local:      e.or("TCPLOCALHOST", e.or("TCPLOCALIP", unknown)),
	}
	if info, set := e.Lookup("TCPREMOTEINFO"); set {
		p.RemoteInfo = &info
	}
	return p
}

// Databytes is the largest message that the client may send, in bytes: the number
// in DATABYTES, or def where that is not set. 0 means any.
func (e Environment) Databytes(def uint64) uint64 {
	if value, set := e.Lookup("DATABYTES"); set {
		n, _ := control.LeadingNumber(value)
		return n
	}
	return def
}

// Queue is what takes the client's mail: the qmail-queue of an installation, or
// what QMAILQUEUE names. It gets this environment.
func (e Environment) Queue(home string) submit.Queue {
	return submit.Queue{Home: home, Program: e.or("QMAILQUEUE", ""), Env: e}
}

// OfSocket adds the addresses of a TCP socket to an environment that has none, as
// under systemd with Accept=yes. Whatever else the descriptor is, the environment
// stays as it is.
func OfSocket(env Environment, fd int) Environment {
	if _, set := env.Lookup("TCPREMOTEIP"); set {
		return env
	}
	remote, err := unix.Getpeername(fd)
	if err != nil {
		return env
	}
	local, err := unix.Getsockname(fd)
	if err != nil {
		return env
	}
	r, ok1 := address(remote)
	l, ok2 := address(local)
	if !ok1 || !ok2 {
		return env
	}
	port := func(a netip.AddrPort) string { return strconv.Itoa(int(a.Port())) }
	return append(slices.Clone(env), "PROTO=TCP",
		"TCPREMOTEIP="+r.Addr().String(), "TCPREMOTEPORT="+port(r),
		"TCPLOCALIP="+l.Addr().String(), "TCPLOCALPORT="+port(l))
}

func address(s unix.Sockaddr) (netip.AddrPort, bool) {
	switch s := s.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(s.Addr), uint16(s.Port)), true
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(s.Addr).Unmap(), uint16(s.Port)), true
	}
	return netip.AddrPort{}, false
}
