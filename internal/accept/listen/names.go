package listen

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"goqmail/internal/accept/connection"
	"goqmail/internal/mail/fold"
	"goqmail/internal/wire/dns"
	"goqmail/internal/wire/ident"
)

// namePatience is how long a client's name is looked for.
const namePatience = 20 * time.Second

// A resolver knows the domain name system.
type resolver interface {
	Names(context.Context, netip.Addr) ([]string, error)
	Addresses(context.Context, dns.Name) ([]netip.Addr, error)
}

// nameOf returns the name of an address, or "". In the paranoid way, a name counts
// that has this address: whoever has an address can give it any name.
func nameOf(r resolver, a netip.Addr, paranoid bool) string {
	ctx, cancel := context.WithTimeout(context.Background(), namePatience)
	defer cancel()
	names, err := r.Names(ctx, a)
	if err != nil || len(names) == 0 {
		return ""
	}
	host := fold.Lower(names[0])
	if !paranoid {
		return host
	}
	name, ok := dns.ParseName(host)
	if !ok {
		return ""
	}
	addresses, err := r.Addresses(ctx, name)
	if err != nil || !slices.Contains(addresses, a) {
		return ""
	}
	return host
}

// userOf returns the user of a connection, or nil.
func userOf(e connection.Endpoints, patience time.Duration) *string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	user, err := ident.Ask(ctx, e.Remote, e.Local)
	if err != nil {
		return nil
	}
	return &user
}
