// Package tcpenv finds out about the TCP connection that a program was given, and
// puts it into the environment as tcp-environ(5) says. tcp-env(1) does so for a
// server that inetd has started.
//
// The names of both hosts come from the domain name system, the user at the other
// end from the host there (RFC 1413). They are looked for one after another, and the
// client waits: 20 seconds for each name at most, and as long for the user as the
// caller says.
package tcpenv

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"goqmail/internal/accept/connection"
	"goqmail/internal/mail/fold"
	"goqmail/internal/wire/dns"
)

// namePatience is how long a name is looked for.
const namePatience = 20 * time.Second

// softError stands in place of a name that could not be looked up just now.
const softError = "softdnserror"

// ours are the variables that say something of a connection. Whatever they were
// before must not be taken for what they are now.
var ours = []string{
	"PROTO", "TCPLOCALIP", "TCPLOCALPORT", "TCPLOCALHOST",
	"TCPREMOTEIP", "TCPREMOTEPORT", "TCPREMOTEHOST", "TCPREMOTEINFO",
}

// A World is asked about the two ends.
type World struct {
	Names func(context.Context, netip.Addr) ([]string, error)

	// User asks for the user at the other end; nil means not to. Patience is how
	// long that may take.
	User     func(ctx context.Context, remote, local netip.AddrPort) (string, error)
	Patience time.Duration
}

// Known tells whether an environment describes a connection already.
func Known(env connection.Environment) bool {
	proto, _ := env.Lookup("PROTO")
	return proto == "TCP"
}

// Describe returns the environment with the variables of a connection.
func Describe(env connection.Environment, e connection.Endpoints, w World) connection.Environment {
	variables := e.Variables()
	for _, v := range []struct {
		name    string
		address netip.Addr
	}{{"TCPLOCALHOST", e.Local.Addr()}, {"TCPREMOTEHOST", e.Remote.Addr()}} {
		if host, ok := w.name(v.address); ok {
			variables = append(variables, v.name+"="+host)
		}
	}
	if user, ok := w.user(e); ok {
		variables = append(variables, "TCPREMOTEINFO="+user)
	}
	return append(without(env, ours), variables...)
}

// name returns the first name of an address, if there is one.
func (w World) name(address netip.Addr) (host string, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), namePatience)
	defer cancel()
	names, err := w.Names(ctx, address)
	switch {
	case errors.Is(err, dns.ErrNotFound):
		return "", false
	case err != nil:
		return softError, true
	}
	return fold.Lower(names[0]), true
}

// user returns the user at the other end, if that is told.
func (w World) user(e connection.Endpoints) (user string, ok bool) {
	if w.User == nil {
		return "", false
	}
	ctx, cancel := context.WithTimeout(context.Background(), w.Patience)
	defer cancel()
	user, err := w.User(ctx, e.Remote, e.Local)
	return user, err == nil
}

// without returns an environment that lacks some variables.
func without(env connection.Environment, names []string) connection.Environment {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(names, name)
	})
}
