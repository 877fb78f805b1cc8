// Package smtproutes tells where mail for a host goes, as the control file smtproutes has
// it (qmail-remote(8)). It is a list of entries
//
//	host:relay     for the host
//	.domain:relay  for all hosts below domain, but not domain itself
//	:relay         for every host
//
// The entry for the host itself counts, otherwise that with the longest .domain, and
// of several for the same the last one. Case does not matter. A host may be an
// address in brackets.
//
//	relay = [ name [ ":" port ] ]
//	name  = domain | "[" address "]" | IPv4 address
//
// Mail for the host goes to the relay, whose exchangers do not count. An empty relay
// means that there is no route.
package smtproutes

import (
	"errors"
	"strings"

	"goqmail/internal/host/control"
	"goqmail/internal/mail/fold"
)

// Routes are what the file has.
type Routes fold.Map

// New makes routes of the entries of the file.
func New(entries []string) Routes {
	r := make(Routes, len(entries))
	for _, entry := range entries {
		if host, relay, ok := cutHost(entry, ':'); ok {
			r[fold.Lower(host)] = relay
		}
	}
	return r
}

// cutHost is strings.Cut, but for what is in brackets at the beginning.
func cutHost(text string, separator byte) (host, rest string, ok bool) {
	from := 0
	if strings.HasPrefix(text, "[") {
		from = strings.IndexByte(text, ']') + 1
	}
	at := strings.IndexByte(text[from:], separator)
	if at < 0 {
		return text, "", false
	}
	return text[:from+at], text[from+at+1:], true
}

// relay returns what the entry for a host has, or nothing.
func (r Routes) relay(host string) string {
	host = fold.Lower(host)
	for i := 0; i <= len(host); i++ {
		if i == 0 || i == len(host) || host[i] == '.' {
			if relay, ok := r[host[i:]]; ok {
				return relay
			}
		}
	}
	return ""
}

// PortSMTP is where mail is taken, unless a route says otherwise.
const PortSMTP = 25

// A Destination is where mail goes. Mail for two hosts with the same one takes the same
// way.
type Destination struct {
	Host  string
	Port  uint16
	Relay bool // by a route
}

// ErrRelay says that the relay of a route makes no sense.
var ErrRelay = errors.New("malformed relay")

// Destination tells where mail for a host goes.
func (r Routes) Destination(host string) (Destination, error) {
	relay := r.relay(host)
	if relay == "" {
		return Destination{host, PortSMTP, false}, nil
	}
	name, portText, hasPort := cutHost(relay, ':')
	port := uint64(PortSMTP)
	if hasPort {
		// What follows the digits is ignored, as ever: other qmails have
		// passwords there.
		port, hasPort = control.LeadingNumber(portText)
		if !hasPort || port == 0 || port > 65535 {
			return Destination{}, ErrRelay
		}
	}
	if name == "" {
		return Destination{}, ErrRelay
	}
	return Destination{name, uint16(port), true}, nil
}
