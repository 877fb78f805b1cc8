package ipme

import (
	"net/netip"
	"testing"
	"time"
)

func TestAddresses(t *testing.T) {
	s, err := Addresses()
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{
		"127.0.0.1": true, "::ffff:127.0.0.1": true, "0.0.0.0": true, "::": true,
		"127.77.88.99": false, "192.0.2.77": false, "2001:db8::77": false,
	} {
		if got := s.Has(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}

func TestParseLiteral(t *testing.T) {
	for literal, want := range map[string]string{
		"[192.0.2.1]": "192.0.2.1", "[IPv6:2001:db8::1]": "2001:db8::1", "[ipv6:::1]": "::1",
		"[]": "", "[": "", "": "", "192.0.2.1": "", "[192.0.2]": "", "[192.0.2.1": "", "[192.0.2.256]": "",
		"[2001:db8::1]": "", "[IPv6:192.0.2.1]": "", "[IPv6:fe80::1%eth0]": "", "[IPv6:]": "", "[a.example]": "",
	} {
		got, ok := ParseLiteral(literal)
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%s: %v, %v", literal, got, ok)
		}
	}
}

func TestRecent(t *testing.T) {
	r := Recent{While: time.Hour}
	first, err := r.Addresses()
	if err != nil || !first.Has(netip.IPv4Unspecified()) {
		t.Fatal(first, err)
	}
	first[netip.MustParseAddr("192.0.2.1")] = struct{}{} // a mark
	if again, _ := r.Addresses(); len(again) != len(first) {
		t.Error("asked again at once")
	}
	r.While = 0
	if again, _ := r.Addresses(); again.Has(netip.MustParseAddr("192.0.2.1")) {
		t.Error("not asked again")
	}
}

// FuzzParseLiteral: what is an address is the same one when it is written anew.
func FuzzParseLiteral(f *testing.F) {
	for _, literal := range []string{"[192.0.2.1]", "[IPv6:2001:db8::1]", "[ipv6:::ffff:192.0.2.1]", "[]", "[", "[IPv6:fe80::1%lo]", "[127.0.0.257]", "[1]"} {
		f.Add(literal)
	}
	f.Fuzz(func(t *testing.T, literal string) {
		address, ok := ParseLiteral(literal)
		if !ok {
			return
		}
		tag := ""
		if address.Is6() {
			tag = "IPv6:"
		}
		if again, ok := ParseLiteral("[" + tag + address.String() + "]"); !ok || again != address || address.Zone() != "" {
			t.Errorf("%v, %v", address, again)
		}
	})
}
