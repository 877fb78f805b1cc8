package dns

import (
	"context"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// maxNames is how many names an address has.
const maxNames = 16

// Names returns the names of the host at an address (PTR), without their last dot.
// They are what the owner of the address says; that the names know of the address
// is not looked at. Bytes that are not usual in names are written as in a Name.
func (r *Resolver) Names(ctx context.Context, address netip.Addr) ([]string, error) {
	reverse, err := dns.ReverseAddr(address.Unmap().WithZone("").String())
	if err != nil {
		return nil, ErrNotFound
	}
	answer := r.lookUp(ctx, Name(reverse), dns.TypePTR)[0]
	var names []string
	for _, record := range answer.records {
		if ptr, ok := record.(*dns.PTR); ok && ptr.Ptr != "." && len(names) < maxNames {
			names = append(names, strings.TrimSuffix(ptr.Ptr, "."))
		}
	}
	if answer.err == nil && len(names) == 0 {
		return nil, ErrNotFound
	}
	return names, answer.err
}
