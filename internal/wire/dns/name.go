package dns

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// A Name is a domain name as RFC 1035, section 5.1, writes an absolute one: it
// ends in a dot, and bytes that are not usual in names are \DDD.
type Name string

const (
	maxLabel = 63
	maxName  = 253 // without the last dot
)

// ParseName makes a Name of a host in a mail address. Any byte may be part of it.
// ok is false where there can be no such name: it is empty, has an empty label, or
// is too long.
func ParseName(host string) (name Name, ok bool) {
	host = strings.TrimSuffix(host, ".")
	if len(host) > maxName {
		return "", false
	}
	var b strings.Builder
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > maxLabel {
			return "", false
		}
		for _, c := range []byte(label) {
			if usual(c) {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, `\%03d`, c)
			}
		}
		b.WriteByte('.')
	}
	return spelled(b.String())
}

// spelled returns a name in the spelling that names in answers have.
func spelled(name string) (Name, bool) {
	var wire [256]byte
	n, err := dns.PackDomainName(name, wire[:], 0, nil, false)
	if err != nil {
		return "", false
	}
	name, _, err = dns.UnpackDomainName(wire[:n], 0)
	return Name(name), err == nil
}

// usual holds for bytes that stand for themselves.
func usual(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}
