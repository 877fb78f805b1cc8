package smtproutes

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
		if got := New(strings.Fields(c.routes)).relay(c.host); got != c.want {
			t.Errorf("%q for %q: %q, want %q", c.routes, c.host, got, c.want)
		}
	}
}

func TestDestination(t *testing.T) {
	for _, c := range []struct {
		relay string
		want  Destination
		err   error
	}{
		{"", Destination{"y.test", 25, false}, nil},
		{"a.test", Destination{"a.test", 25, true}, nil},
		{"a.test:26", Destination{"a.test", 26, true}, nil},
		{"a.test:587 user password", Destination{"a.test", 587, true}, nil},
		{"192.0.2.1:26", Destination{"192.0.2.1", 26, true}, nil},
		{"[192.0.2.1]:26", Destination{"[192.0.2.1]", 26, true}, nil},
		{"[2001:db8::1]", Destination{"[2001:db8::1]", 25, true}, nil},
		{"[2001:db8::1]:26", Destination{"[2001:db8::1]", 26, true}, nil},
		{"[IPv6:2001:db8::1]:26", Destination{"[IPv6:2001:db8::1]", 26, true}, nil},
		{"a.test:", Destination{}, ErrRelay},
		{"a.test:x", Destination{}, ErrRelay},
		{"a.test:0", Destination{}, ErrRelay},
		{"a.test:65536", Destination{}, ErrRelay},
		{":26", Destination{}, ErrRelay},
		{"2001:db8::1", Destination{}, ErrRelay},
	} {
		got, err := New([]string{":" + c.relay}).Destination("y.test")
		if got != c.want || err != c.err {
			t.Errorf("%q: %+v, %v", c.relay, got, err)
		}
	}
}

func FuzzRoutes(f *testing.F) {
	for _, s := range [][2]string{{"y.test:a:26", "y.test"}, {"[::1]:[::1]:26", "[::1]"}, {".:", "."}, {"[x:", "[x"}, {"::::", ""}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, entry, host string) {
		to, err := New([]string{entry}).Destination(host)
		if err == nil && (to.Port == 0 || to.Relay && to.Host == "" || !to.Relay && (to.Host != host || to.Port != PortSMTP)) {
			t.Errorf("%q for %q: %+v", entry, host, to)
		}
	})
}
