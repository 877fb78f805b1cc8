// Package dns asks name servers where mail for a host goes: its mail exchangers
// (MX) and the addresses of a host (A and AAAA); and what a host at an address is
// called (PTR). It is the only package that
// imports github.com/miekg/dns, of which it uses the format of messages; whom is
// asked, when, and what is believed is decided here.
//
// A question goes to the servers of /etc/resolv.conf in turn, each for a limited
// time, and to all of them again where none has answered. Neither /etc/hosts nor a
// search list has a say: mail goes where the whole world's mail goes.
//
//	a server answers with records          that is the answer
//	... that there is no such name         ErrNotFound
//	... that the name has no such records  ErrNotFound
//	... with anything else                 the next server is asked
//	no server answers                      an error that is none of ours: temporary
//
// Questions have EDNS(0) for longer answers (RFC 6891) and go by UDP from a port
// that the kernel chooses; without EDNS to a server that does not know it, by TCP
// where an answer is cut off. An answer is believed if it comes from the address
// that was asked, with the number and the question it was asked with; others are
// passed over. The records that count belong to the name in question, or to what
// it is an alias of (CNAME).
//
// Bounds: an answer has 64 KiB, and is followed over 8 aliases, up to 8 times. A
// host has 64 addresses, a name 100 exchangers, the most preferred ones. A question
// takes Timeout times Attempts times the number of servers at most, and as long
// again where each of them wants it asked by TCP.
package dns

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/miekg/dns"
)

// What is known for good about a name, for errors.Is.
var (
	// ErrNotFound says that there is no such name, or that it has no records of
	// the kind asked for.
	ErrNotFound = errors.New("no such host")
	// ErrNoMail says that the name takes no mail (null MX, RFC 7505).
	ErrNoMail = errors.New("the host does not accept mail")
)

const (
	maxExchangers = 100
	maxAddresses  = 64
	maxAliases    = 8
)

// An Exchanger is a host that takes mail for a name. Less is preferred.
type Exchanger struct {
	Preference uint16
	Host       Name
}

// Exchangers returns the mail exchangers of a name, those preferred first and
// those of equal preference in random order.
func (r *Resolver) Exchangers(ctx context.Context, name Name) ([]Exchanger, error) {
	answer := r.lookUp(ctx, name, dns.TypeMX)[0]
	if answer.err != nil {
		return nil, answer.err
	}
	var list []Exchanger
	for _, record := range answer.records {
		if mx, ok := record.(*dns.MX); ok && mx.Mx != "." {
			list = append(list, Exchanger{mx.Preference, Name(mx.Mx)})
		}
	}
	if len(list) == 0 {
		return nil, ErrNoMail
	}
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	slices.SortStableFunc(list, func(a, b Exchanger) int { return cmp.Compare(a.Preference, b.Preference) })
	return list[:min(len(list), maxExchangers)], nil
}

// Addresses returns the addresses of a host: those of IPv4 first, so that a host
// is still reached at the address at which an IPv4-only system reaches it, then
// those of IPv6. Trouble with the latter does not matter if there are former.
func (r *Resolver) Addresses(ctx context.Context, name Name) ([]netip.Addr, error) {
	answers := r.lookUp(ctx, name, dns.TypeA, dns.TypeAAAA)
	var list []netip.Addr
	for _, answer := range answers {
		for _, record := range answer.records {
			if address, ok := addressIn(record); ok && len(list) < maxAddresses {
				list = append(list, address)
			}
		}
	}
	if len(list) > 0 {
		return list, nil
	}
	for _, answer := range answers {
		if answer.err != nil && answer.err != ErrNotFound {
			return nil, answer.err
		}
	}
	return nil, ErrNotFound
}

// addressIn takes the address out of a record. IPv6 addresses that mean another
// host to everybody who asks, or none, are passed over; those of IPv4 have always
// been taken as they are.
func addressIn(record dns.RR) (address netip.Addr, ok bool) {
	switch record := record.(type) {
	case *dns.A:
		address, ok = netip.AddrFromSlice(record.A)
		address = address.Unmap()
		return address, ok && address.Is4()
	case *dns.AAAA:
		address, ok = netip.AddrFromSlice(record.AAAA)
		return address, ok && address.Is6() && !address.Is4In6() && address.IsGlobalUnicast()
	}
	return address, false
}

// An answer is what came of one question.
type answer struct {
	records []dns.RR // of the type asked for; none where err is not nil
	alias   Name     // what the name is an alias of, if no records of that were there
	err     error
}

// settled tells whether nobody else has to be asked.
func (a answer) settled() bool { return a.err == nil || a.err == ErrNotFound }

// lookUp asks for records of some types. The answers, in the same order, have
// records or an error. Where a server says no more than that the name is an alias,
// it is asked on.
func (r *Resolver) lookUp(ctx context.Context, name Name, types ...uint16) []answer {
	answers := r.ask(ctx, name, types)
	for i := range answers {
		a := &answers[i]
		for range maxAliases {
			if a.err != nil || a.alias == "" {
				break
			}
			*a = r.ask(ctx, a.alias, types[i:i+1])[0]
		}
		if a.err == nil && len(a.records) == 0 {
			a.err = ErrNotFound
		}
	}
	return answers
}
