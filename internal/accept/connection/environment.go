package connection

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"goqmail/internal/host/control"
	"goqmail/internal/host/socket"
	"goqmail/internal/mail/received"
	"goqmail/internal/wire/submit"
)

const unknown = "unknown"

// Environment has the form of os.Environ: NAME=VALUE.
type Environment []string

// Lookup returns a variable; the first of several counts.
func (e Environment) Lookup(name string) (value string, set bool) {
	for _, v := range e {
		if rest, ok := strings.CutPrefix(v, name); ok && rest != "" && rest[0] == '=' {
			return rest[1:], true
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

// Endpoints are the two ends of a TCP connection.
type Endpoints struct{ Remote, Local netip.AddrPort }

// Variables are those that tell the ends of a connection.
func (e Endpoints) Variables() []string {
	port := func(a netip.AddrPort) string { return strconv.Itoa(int(a.Port())) }
	return []string{"PROTO=TCP",
		"TCPREMOTEIP=" + e.Remote.Addr().String(), "TCPREMOTEPORT=" + port(e.Remote),
		"TCPLOCALIP=" + e.Local.Addr().String(), "TCPLOCALPORT=" + port(e.Local)}
}

// OfSocket adds the addresses of a TCP socket to an environment that has none, as
// under systemd with Accept=yes. Whatever else the descriptor is, the environment
// stays as it is.
func OfSocket(env Environment, fd int) Environment {
	if _, set := env.Lookup("TCPREMOTEIP"); set {
		return env
	}
	e, ok := EndpointsOf(fd)
	if !ok {
		return env
	}
	return slices.Concat(env, e.Variables())
}

// EndpointsOf tells the ends of the connection that a TCP socket is.
func EndpointsOf(fd int) (e Endpoints, ok bool) {
	remote, err := unix.Getpeername(fd)
	if err != nil {
		return e, false
	}
	local, err := unix.Getsockname(fd)
	if err != nil {
		return e, false
	}
	var ok1, ok2 bool
	e.Remote, ok1 = socket.AddrPort(remote)
	e.Local, ok2 = socket.AddrPort(local)
	return e, ok1 && ok2
}

// With is an environment in which variables are set, whatever they were before. Of
// several settings of one the last counts.
func (e Environment) With(variables []string) Environment {
	result := make(Environment, 0, len(e)+len(variables))
	for i, list := range [][]string{e, variables} {
		for j, v := range list {
			later := variables
			if i == 1 {
				later = variables[j+1:]
			}
			if name, _, _ := strings.Cut(v, "="); !sets(later, name) {
				result = append(result, v)
			}
		}
	}
	return result
}

func sets(variables []string, name string) bool {
	_, set := Environment(variables).Lookup(name)
	return set
}
