package remote

import (
	"strings"
	"testing"
)

func TestRelays(t *testing.T) {
	const me = "DSorry. Although I'm listed as a best-preference MX"
	for _, c := range []struct{ relay, tried, report string }{
		{"192.0.2.1", "192.0.2.1:25", "r|K192.0.2.1 accepted"},
		{"[2001:db8::1]:26", "[2001:db8::1]:26", "r|K2001:db8::1 accepted"},
		{"relay.test", "192.0.2.1:25", "r|K192.0.2.1 accepted"},
		{"decoy.test", "192.0.2.1:25", "r|K192.0.2.1 accepted"},
		{"nowhere.test", "", "DSorry, I couldn't find any host named nowhere.test. (#5.1.2)\n"},
		{"broken.test", "", "ZSorry, I couldn't find any host by that name. (#4.1.2)\n"},
		{"127.0.0.1", "127.0.0.1:25", "ZSorry, I wasn't able to establish"},
		{"me.test", "", me},
		{"192.0.2.99", "", me},
		{"192.0.2.99:25", "", me},
		{"192.0.2.99:26", "192.0.2.99:26", "r|K192.0.2.99 accepted"},
		{"me.test:26", "192.0.2.99:26", "r|K192.0.2.99 accepted"},
	} {
		w := newWorld(t, map[string]string{"smtproutes": ":" + c.relay + "\n"})
		w.names = names{"relay.test": {ip("192.0.2.1")}, "decoy.test": {ip("192.0.2.1"), mx(1, "a.test")}, "a.test": {ip("192.0.2.7")}, "broken.test": {errTemporary}, "me.test": {ip("192.0.2.99")}}
		for _, host := range []string{"192.0.2.1", "[2001:db8::1]:26", "192.0.2.99", "192.0.2.99:26"} {
			w.host(host, says())
		}
		got := w.deliver("y.test", "s@x.test", "r@y.test")
		if !strings.HasPrefix(got, c.report) || strings.Join(w.tried, " ") != c.tried {
			t.Errorf("%s: %q, tried %q", c.relay, got, w.tried)
		}
	}
}

// FuzzParseAddress: what looks like an address is one.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"192.0.2.1", "[192.0.2.1]", "[IPv6:2001:db8::1]", "2001:db8::1", "[::1%x]", "[x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if address, ok := parseAddress(host); ok && !address.IsValid() {
			t.Errorf("%q", host)
		}
	})
}
