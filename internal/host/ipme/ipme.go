// Package ipme knows the IP addresses of this machine, IPv4 and IPv6, as the
// kernel has them now (rtnetlink(7)).
//
// Mail for a@[192.0.2.1] is mail for this host where 192.0.2.1 is one of them,
// and a mail exchanger that is one of them is this host again: a loop. The
// addresses 0.0.0.0 and :: lead here, too. Other addresses of the loopback network
// than those configured do not count, though packets for them arrive.
package ipme

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
)

// A Set is a set of addresses.
type Set map[netip.Addr]struct{}

// Addresses returns the addresses of this machine.
func Addresses() (Set, error) {
	s := Set{netip.IPv4Unspecified(): {}, netip.IPv6Unspecified(): {}}
	table, err := syscall.NetlinkRIB(syscall.RTM_GETADDR, syscall.AF_UNSPEC)
	if err != nil {
		return nil, fmt.Errorf("unable to list the addresses of this machine: %w", err)
	}
	messages, err := syscall.ParseNetlinkMessage(table)
	if err != nil {
		return nil, fmt.Errorf("unable to list the addresses of this machine: %w", err)
	}
	for i := range messages {
		if messages[i].Header.Type != syscall.RTM_NEWADDR {
			continue
		}
		attributes, err := syscall.ParseNetlinkRouteAttr(&messages[i])
		if err != nil {
			return nil, fmt.Errorf("unable to list the addresses of this machine: %w", err)
		}
		for _, a := range attributes {
			// LOCAL is this end of a point-to-point link, and ADDRESS the
			// other; where there is no LOCAL, ADDRESS is this end.
			if a.Attr.Type == syscall.IFA_LOCAL || a.Attr.Type == syscall.IFA_ADDRESS && !hasLocal(attributes) {
				if address, ok := netip.AddrFromSlice(a.Value); ok {
					s[address.Unmap()] = struct{}{}
				}
			}
		}
	}
	return s, nil
}

func hasLocal(attributes []syscall.NetlinkRouteAttr) bool {
	for _, a := range attributes {
		if a.Attr.Type == syscall.IFA_LOCAL {
			return true
		}
	}
	return false
}

// Has tells whether an address is in the set.
func (s Set) Has(address netip.Addr) bool {
	_, ok := s[address.Unmap().WithZone("")]
	return ok
}

// ParseLiteral reads an address in brackets, as it stands behind the @ of a mail
// address: [192.0.2.1], or [IPv6:2001:db8::1] (RFC 5321, section 4.1.3).
func ParseLiteral(literal string) (address netip.Addr, ok bool) {
	if len(literal) < 2 || literal[0] != '[' || literal[len(literal)-1] != ']' {
		return address, false
	}
	text := literal[1 : len(literal)-1]
	const tag = "IPv6:"
	six := len(text) >= len(tag) && strings.EqualFold(text[:len(tag)], tag)
	if six {
		text = text[len(tag):]
	}
	address, err := netip.ParseAddr(text)
	if err != nil || address.Zone() != "" || address.Is6() != six {
		return address, false
	}
	return address, true
}
