package listen

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"goqmail/internal/accept/connection"
	"goqmail/internal/wire/ident"
)

// namePatience is how long a client's name is looked for.
const namePatience = 20 * time.Second

// maxHostName is the longest name of a host, in bytes.
const maxHostName = 255

// A Resolver knows the domain name system.
type Resolver interface {
	Names(context.Context, netip.Addr) ([]string, error)
	Addresses(ctx context.Context, host string) ([]netip.Addr, error)
}

// nameOf returns the name of an address, or "". In the paranoid way, a name counts
// that has this address: whoever has an address can give it any name.
func nameOf(r Resolver, a netip.Addr, paranoid bool) string {
	ctx, cancel := context.WithTimeout(context.Background(), namePatience)
	defer cancel()
	names, err := r.Names(ctx, a)
	if err != nil || len(names) == 0 {
		return ""
	}
	name := strings.TrimSuffix(names[0], ".")
	if len(name) > maxHostName || strings.ContainsAny(name, "\x00") {
		return ""
	}
	if !paranoid {
		return name
	}
	addresses, err := r.Addresses(ctx, name)
	if err != nil || !slices.Contains(addresses, a) {
		return ""
	}
	return name
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
