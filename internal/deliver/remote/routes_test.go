package remote

import (
	"strings"
	"testing"
)

func TestRoutes(t *testing.T) {
	for _, c := range []struct{ routes, host, want string }{
		{"", "y.test", ""},
		{"y.test:a", "y.test", "a"},
		{"Y.test:a", "y.TEST", "a"},
		{"y.test:a", "x.y.test", ""},
		{".y.test:a", "x.y.test", "a"},
		{".y.test:a", "w.x.y.test", "a"},
		{".y.test:a", "y.test", ""},
		{":a", "y.test", "a"},
		{":a", "", "a"},
		{":a .test:b y.test:c", "y.test", "c"},
		{":a .test:b .y.test:c", "x.y.test", "c"},
		{":a .test:b", "x.y.test", "b"},
		{":a .test:", "x.y.test", ""},
		{"y.test:a y.test:b", "y.test", "b"},
		{"y.test", "y.test", ""},
		{"[192.0.2.1]:a", "[192.0.2.1]", "a"},
		{"[IPv6:2001:db8::1]:a:26", "[ipv6:2001:db8::1]", "a:26"},
		{"[x:a", "[x", "a"},
	} {
		if got := newRoutes(strings.Fields(c.routes)).relay(c.host); got != c.want {
			t.Errorf("%q for %q: %q, want %q", c.routes, c.host, got, c.want)
		}
	}
}

func TestDestination(t *testing.T) {
	for _, c := range []struct {
		relay string
		want  destination
		err   error
	}{
		{"", destination{"y.test", 25, false}, nil},
		{"a.test", destination{"a.test", 25, true}, nil},
		{"a.test:26", destination{"a.test", 26, true}, nil},
		{"a.test:587 user password", destination{"a.test", 587, true}, nil},
		{"192.0.2.1:26", destination{"192.0.2.1", 26, true}, nil},
		{"[192.0.2.1]:26", destination{"[192.0.2.1]", 26, true}, nil},
		{"[2001:db8::1]", destination{"[2001:db8::1]", 25, true}, nil},
		{"[2001:db8::1]:26", destination{"[2001:db8::1]", 26, true}, nil},
		{"[IPv6:2001:db8::1]:26", destination{"[IPv6:2001:db8::1]", 26, true}, nil},
		{"a.test:", destination{}, errRoute},
		{"a.test:x", destination{}, errRoute},
		{"a.test:0", destination{}, errRoute},
		{"a.test:65536", destination{}, errRoute},
		{":26", destination{}, errRoute},
		{"2001:db8::1", destination{}, errRoute},
	} {
		got, err := settings{routes: newRoutes([]string{":" + c.relay})}.destination("y.test")
		if got != c.want || err != c.err {
			t.Errorf("%q: %+v, %v", c.relay, got, err)
		}
	}
}

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

func FuzzRoutes(f *testing.F) {
	for _, s := range [][2]string{{"y.test:a:26", "y.test"}, {"[::1]:[::1]:26", "[::1]"}, {".:", "."}, {"[x:", "[x"}, {"::::", ""}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, entry, host string) {
		s := settings{routes: newRoutes([]string{entry})}
		to, err := s.destination(host)
		if err == nil && (to.port == 0 || to.relay && to.host == "" || !to.relay && (to.host != host || to.port != portSMTP)) {
			t.Errorf("%q for %q: %+v", entry, host, to)
		}
		if address, ok := parseAddress(to.host); ok && !address.IsValid() {
			t.Errorf("%q", to.host)
		}
	})
}
