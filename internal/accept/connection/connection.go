// Package connection is a client of a network server, and what is known of it: what
// tcpserver, tcp-env or whoever else has accepted the connection says in the
// environment, tcp-environ(5).
//
//	TCPREMOTEIP, TCPREMOTEHOST, TCPREMOTEINFO   the client's address, its name if
//	                                            that is known, its user by RFC 1413
//	TCPLOCALIP, TCPLOCALHOST                    the same of this end
//	RELAYCLIENT, DATABYTES                      what the client may do
//	QMAILQUEUE                                  what takes its mail
//
// The environment belongs to the connection, not to the process, so that one
// process can serve many.
package connection

import (
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/internal/host/control"
	"goqmail/internal/mail/received"
	"goqmail/internal/wire/dialog"
	"goqmail/internal/wire/submit"
)

const unknown = "unknown"

// A Client is a connection and what belongs to it.
type Client struct {
	In    io.Reader // with limits of time; see package dialog
	Out   io.Writer
	Env   Environment
	Queue submit.Queue // what takes the client's mail
	Tmp   string       // directory for temporary files
	Now   func() time.Time
	Warn  func(text string) // tells the admin
}

// Inherited is the client on descriptors 0 and 1 of a program that was started for
// it. What Warn says goes to descriptor 2.
func Inherited(program, home string, environ []string) Client {
	c := Client{
		Env:  OfSocket(environ, 0),
		Now:  time.Now,
		Warn: Warner(program, 2, 0),
	}
	c.Tmp = c.Env.or("TMPDIR", "/tmp")
	c.Queue = c.Env.Queue(home)
	c.Limit(0, time.Time{})
	return c
}

// Limit bounds the time of each read and write of an inherited client, and that of
// all; zero means no limit.
func (c *Client) Limit(each time.Duration, end time.Time) {
	c.In = dialog.Descriptor{FD: 0, Timeout: each, Until: end}
	c.Out = dialog.Descriptor{FD: 1, Timeout: each, Until: end}
}

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

// Warner returns a function that writes a line for the admin to a descriptor, in
// the name of a program. Where that descriptor is the client's, as under inetd,
// the line would be taken for a reply, so nothing is written.
func Warner(program string, log, client int) func(string) {
	if sameSocket(log, client) {
		return func(string) {}
	}
	return func(text string) { unix.Write(log, []byte(program+": "+text+"\n")) }
}

func sameSocket(a, b int) bool {
	var as, bs unix.Stat_t
	return unix.Fstat(a, &as) == nil && unix.Fstat(b, &bs) == nil &&
		as.Mode&unix.S_IFMT == unix.S_IFSOCK && as.Dev == bs.Dev && as.Ino == bs.Ino
}
