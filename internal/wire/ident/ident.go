// Package ident asks the other end of a TCP connection which user of it the
// connection belongs to (RFC 1413):
//
//	query = port-there "," port-here CR LF
//	reply = port-there "," port-here ":" "USERID" ":" system ":" user CR LF
//	      | port-there "," port-here ":" "ERROR" ":" reason CR LF
//
// What it says is no more than what the administrator of that host wants to be
// told about complaints. A reply has at most maxReply bytes; blanks in the name of a
// user are dropped, and one with a byte that is no printing ASCII is none.
package ident

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

const (
	port     = 113
	maxReply = 512
)

// ErrUnknown says that the other end does not tell the user.
var ErrUnknown = errors.New("the user is not known")

// Ask asks about a connection. It takes no longer than the context allows.
func Ask(ctx context.Context, remote, local netip.AddrPort) (user string, err error) {
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(local.Addr(), 0))}
	c, err := dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(remote.Addr(), port).String())
	if err != nil {
		return "", err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })()
	if _, err := fmt.Fprintf(c, "%d , %d\r\n", remote.Port(), local.Port()); err != nil {
		return "", err
	}
	line, err := bufio.NewReaderSize(c, maxReply).ReadSlice('\n')
	if err != nil {
		return "", err
	}
	return parse(string(line))
}

// parse reads a reply. That it repeats the ports proves nothing, so it need not.
func parse(line string) (user string, err error) {
	part := strings.SplitN(strings.TrimRight(line, "\r\n"), ":", 4)
	if len(part) < 4 || strings.TrimSpace(part[1]) != "USERID" {
		return "", ErrUnknown
	}
	user = strings.NewReplacer(" ", "", "\t", "", "\r", "").Replace(part[3])
	for i := range len(user) {
		if user[i] < ' ' || user[i] > '~' {
			return "", ErrUnknown
		}
	}
	if user == "" {
		return "", ErrUnknown
	}
	return user, nil
}
