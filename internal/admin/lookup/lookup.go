// Package lookup answers an admin's questions about DNS as this mail system sees it:
// dnsip, dnsptr, dnsfq, dnsmxip and ipmeprint, dnsip(8). What they print is what
// deliveries will find: /etc/hosts has no say.
//
// The error of a question that has an answer, namely that there is nothing, is a
// failure; that of one without is a deferral.
package lookup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"goqmail/internal/host/ipme"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/dns"
)

// Resolver is what is asked; dns.Resolver is one.
type Resolver interface {
	Addresses(ctx context.Context, name dns.Name) ([]netip.Addr, error)
	Exchangers(ctx context.Context, name dns.Name) ([]dns.Exchanger, error)
	Names(ctx context.Context, address netip.Addr) ([]string, error)
}

// decide puts an error into the words that these programs have always had.
func decide(about string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, dns.ErrNotFound), errors.Is(err, dns.ErrNoMail):
		return outcome.Fail("hard error: %s: %w", about, err)
	}
	return fmt.Errorf("soft error: %s: %w", about, err)
}

// literal is the address that a host is given as, such as 192.0.2.1 or [192.0.2.1],
// which nobody has to be asked for.
func literal(host string) (netip.Addr, bool) {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if host, ok = strings.CutSuffix(inner, "]"); !ok {
			return netip.Addr{}, false
		}
	}
	a, err := netip.ParseAddr(host)
	return a, err == nil && a.Zone() == ""
}

// Addresses returns the addresses of a host.
func Addresses(r Resolver, host string) ([]netip.Addr, error) {
	if a, ok := literal(host); ok {
		return []netip.Addr{a}, nil
	}
	name, ok := dns.ParseName(host)
	if !ok {
		return nil, decide(host, dns.ErrNotFound)
	}
	list, err := r.Addresses(context.Background(), name)
	return list, decide(host, err)
}

// Name returns the name of the host at an address.
func Name(r Resolver, address netip.Addr) (string, error) {
	names, err := r.Names(context.Background(), address)
	if err != nil {
		return "", decide(address.String(), err)
	}
	return names[0], nil
}

// NameOf is Name for an address as it is written.
func NameOf(r Resolver, address string) (string, error) {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Zone() != "" {
		return "", outcome.Fail("%q is not an IP address", address)
	}
	return Name(r, ip)
}

// FullName returns the name that the first address of a host has: the canonical
// name of this machine, if host is its hostname. A host without a dot in it is
// looked for in the domains of the search list.
func FullName(r Resolver, host string, search []string) (string, error) {
	candidates := []string{host}
	if !strings.Contains(host, ".") {
		for i, domain := range search {
			candidates = slices.Insert(candidates, i, host+"."+domain)
		}
	}
	var err error
	for _, candidate := range candidates {
		var list []netip.Addr
		if list, err = Addresses(r, candidate); err == nil {
			return Name(r, list[0])
		}
		if outcome.Of(err) == outcome.Deferral {
			break
		}
	}
	return "", err
}

// An Exchanger is an address that takes mail for a name.
type Exchanger struct {
	Address    netip.Addr
	Preference uint16
}

// Exchangers returns the addresses where mail for a name is delivered, in the order
// in which they are tried: those of its exchangers, or, where it has none, its own.
// Trouble with one exchanger does not matter if there are others.
func Exchangers(r Resolver, host string) ([]Exchanger, error) {
	if a, ok := literal(host); ok {
		return []Exchanger{{Address: a}}, nil
	}
	name, ok := dns.ParseName(host)
	if !ok {
		return nil, decide(host, dns.ErrNotFound)
	}
	exchangers, err := r.Exchangers(context.Background(), name)
	switch {
	case errors.Is(err, dns.ErrNotFound):
		exchangers = []dns.Exchanger{{Preference: 0, Host: name}}
	case err != nil:
		return nil, decide(host, err)
	}
	var list []Exchanger
	var trouble error
	for _, x := range exchangers {
		addresses, err := r.Addresses(context.Background(), x.Host)
		if err != nil && (trouble == nil || !errors.Is(err, dns.ErrNotFound)) {
			trouble = decide(string(x.Host), err)
		}
		for _, a := range addresses {
			list = append(list, Exchanger{a, x.Preference})
		}
	}
	if len(list) == 0 {
		return nil, trouble
	}
	return list, nil
}

// Own returns the addresses of this machine, those of IPv4 first.
func Own(of func() (ipme.Set, error)) ([]netip.Addr, error) {
	set, err := of()
	if err != nil {
		return nil, err
	}
	var list []netip.Addr
	for a := range set {
		if !a.IsUnspecified() {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return list, nil
}

// Lines writes items, one to a line.
func Lines[T any](w io.Writer, items ...T) error {
	for _, item := range items {
		if _, err := fmt.Fprintln(w, item); err != nil {
			return err
		}
	}
	return nil
}

// String is how dnsmxip prints an exchanger.
func (x Exchanger) String() string { return fmt.Sprintf("%s %d", x.Address, x.Preference) }
