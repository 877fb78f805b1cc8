package dns

import (
	"context"
	"net/netip"
	"slices"
	"testing"
)

func TestNames(t *testing.T) {
	r := resolver(serve(t, zone(
		"4.3.2.1.in-addr.arpa. PTR Mail.Example.ORG.",
		"5.3.2.1.in-addr.arpa. PTR a.example.", "5.3.2.1.in-addr.arpa. PTR b.example.",
		"6.3.2.1.in-addr.arpa. CNAME 6.sub.3.2.1.in-addr.arpa.", "6.sub.3.2.1.in-addr.arpa. PTR c.example.",
		"7.3.2.1.in-addr.arpa. PTR .",
		"8.3.2.1.in-addr.arpa. SERVFAIL",
		`9.3.2.1.in-addr.arpa. PTR we\032ird\000.example.`,
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR six.example.",
	)))
	for _, c := range []struct {
		address string
		names   []string
		err     error
	}{
		{"1.2.3.4", []string{"Mail.Example.ORG"}, nil},
		{"::ffff:1.2.3.4", []string{"Mail.Example.ORG"}, nil},
		{"1.2.3.5", []string{"a.example", "b.example"}, nil},
		{"1.2.3.6", []string{"c.example"}, nil},
		{"1.2.3.7", nil, ErrNotFound},
		{"1.2.3.8", nil, errOther},
		{"1.2.3.9", []string{`we\ ird\000.example`}, nil},
		{"1.2.3.10", nil, ErrNotFound},
		{"2001:db8::1", []string{"six.example"}, nil},
		{"2001:db8::1%eth0", []string{"six.example"}, nil},
	} {
		names, err := r.Names(context.Background(), netip.MustParseAddr(c.address))
		if slices.Sort(names); !slices.Equal(names, c.names) || kind(err) != c.err {
			t.Errorf("%s: %q %v, want %q %v", c.address, names, err, c.names, c.err)
		}
	}
	if _, err := r.Names(context.Background(), netip.Addr{}); err != ErrNotFound {
		t.Errorf("no address: %v", err)
	}
}
