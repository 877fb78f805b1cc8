package remote

import (
	"context"
	"errors"
	"iter"
	"net/netip"
	"strings"

	"goqmail/internal/deliver/smtproutes"
	"goqmail/internal/host/ipme"
	"goqmail/internal/wire/dns"
)

// maxTries is how many addresses are tried in one delivery.
const maxTries = 128

// What there is to say about a host besides what package dns has.
var (
	errNoExchanger = errors.New("no exchanger has an address")
	errThatIsMe    = errors.New("the best exchanger is this host")
)

// lookupReport is what is reported when there is no address to try.
func lookupReport(err error, host string) string {
	switch err {
	case dns.ErrNotFound:
		return noSuchHost(host)
	case dns.ErrNoMail:
		return noMail(host)
	case errNoExchanger:
		return noExchanger
	case errThatIsMe:
		return thatIsMe
	}
	return lookupFailed
}

// An exchanger is a host to try: it has an address, or a name whose addresses are
// in the DNS.
type exchanger struct {
	preference uint16
	address    netip.Addr
	name       dns.Name
}

// hosts yields the addresses to try, the best first, or one error if there are none:
//
//	an address, in brackets or not      itself
//	a relay                             its addresses
//	a host with exchangers (MX)         theirs, by preference
//	a host without                      its own
//
// Looking up exchangers goes on only as far as addresses are asked for.
//
// If one of the addresses is this machine's, its exchanger, those as good, and those
// behind it are left out: they would only send the mail back here (RFC 5321,
// section 5.1). See leadsHere for relays.
func (c Config) hosts(ctx context.Context, to smtproutes.Destination, own ipme.Set) iter.Seq2[netip.Addr, error] {
	return func(yield func(netip.Addr, error) bool) {
		list, none, err := c.exchangers(ctx, to)
		if err != nil {
			yield(netip.Addr{}, err)
			return
		}
		tries := 0
		for len(list) > 0 {
			group := best(list)
			list = list[len(group):]
			addresses, err := c.addresses(ctx, group)
			if err != nil && err != dns.ErrNotFound {
				none = err
			}
			if leadsHere(to, addresses, own) {
				none, list = errThatIsMe, nil
				continue
			}
			for _, address := range addresses {
				if tries++; tries > maxTries || !yield(address, nil) {
					return
				}
			}
		}
		if tries == 0 {
			yield(netip.Addr{}, none)
		}
	}
}

// best returns the first exchangers of a list, which have the same preference.
func best(list []exchanger) []exchanger {
	n := 1
	for n < len(list) && list[n].preference == list[0].preference {
		n++
	}
	return list[:n]
}

// leadsHere tells whether one of the addresses is this machine's.
//
// A route leads here too if its relay is at one of them and the usual port, as C qmail
// does not notice. At another port there is another program, such as a filter. An
// address of the loopback network in the route itself is meant to be what it is.
func leadsHere(to smtproutes.Destination, addresses []netip.Addr, own ipme.Set) bool {
	if to.Relay && to.Port != smtproutes.PortSMTP {
		return false
	}
	literal, isLiteral := parseAddress(to.Host)
	if to.Relay && isLiteral && literal.IsLoopback() {
		return false
	}
	for _, address := range addresses {
		if own.Has(address) {
			return true
		}
	}
	return false
}

// exchangers returns the hosts to try, and the error that it is if none of them has an
// address.
func (c Config) exchangers(ctx context.Context, to smtproutes.Destination) (list []exchanger, none, err error) {
	if address, ok := parseAddress(to.Host); ok {
		return []exchanger{{address: address}}, nil, nil
	}
	name, ok := dns.ParseName(to.Host)
	if !ok {
		return nil, nil, dns.ErrNotFound
	}
	itself := []exchanger{{name: name}}
	if to.Relay {
		return itself, dns.ErrNotFound, nil
	}
	found, err := c.Resolver.Exchangers(ctx, name)
	switch err {
	case nil:
	case dns.ErrNotFound:
		return itself, dns.ErrNotFound, nil
	default:
		return nil, nil, err
	}
	for _, x := range found {
		list = append(list, exchanger{preference: x.Preference, name: x.Host})
	}
	return list, errNoExchanger, nil
}

// addresses returns the addresses of some exchangers, and the last temporary trouble
// there was with looking them up.
func (c Config) addresses(ctx context.Context, group []exchanger) (list []netip.Addr, trouble error) {
	for _, x := range group {
		if x.name == "" {
			list = append(list, x.address)
			continue
		}
		found, err := c.Resolver.Addresses(ctx, x.name)
		list = append(list, found...)
		if err != nil && err != dns.ErrNotFound {
			trouble = err
		}
	}
	return list, trouble
}

// parseAddress reads a host that is an address: as in mail addresses, or of a route,
// where IPv6 needs no tag and IPv4 no brackets.
func parseAddress(host string) (netip.Addr, bool) {
	if address, ok := ipme.ParseLiteral(host); ok {
		return address.Unmap(), true
	}
	text := host
	if inner, ok := strings.CutPrefix(host, "["); ok {
		text, ok = strings.CutSuffix(inner, "]")
		if !ok {
			return netip.Addr{}, false
		}
	} else if strings.Contains(host, ":") {
		return netip.Addr{}, false
	}
	address, err := netip.ParseAddr(text)
	return address.Unmap(), err == nil
}
