package connection

import (
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"goqmail/internal/mail/received"
)

func TestLookup(t *testing.T) {
	e := Environment{"A=1", "EMPTY=", "A=2", "AB=3", "odd"}
	for name, want := range map[string]string{"A": "1", "EMPTY": "", "AB": "3"} {
		if got, set := e.Lookup(name); got != want || !set {
			t.Errorf("%s: %q, %v", name, got, set)
		}
	}
	for _, name := range []string{"B", "odd", ""} {
		if got, set := e.Lookup(name); set {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestPeer(t *testing.T) {
	if got, want := Environment(nil).Peer(), (received.Peer{RemoteHost: "unknown", RemoteIP: "unknown", Local: "unknown"}); got != want {
		t.Errorf("%+v", got)
	}
	e := Environment{"TCPREMOTEHOST=h", "TCPREMOTEIP=1", "TCPREMOTEINFO=", "TCPLOCALIP=2", "TCPLOCALHOST=l"}
	if got := e.Peer(); got.RemoteHost != "h" || got.RemoteIP != "1" || *got.RemoteInfo != "" || got.Local != "l" {
		t.Errorf("%+v", got)
	}
	if got := e[:4].Peer(); got.Local != "2" {
		t.Errorf("%+v", got)
	}
}

func TestDatabytes(t *testing.T) {
	for value, want := range map[string]uint64{"": 0, "0": 0, "12": 12, "12x": 12, "x": 0, "-1": 0, "99999999999999999999": 1<<64 - 1} {
		if got := (Environment{"DATABYTES=" + value}).Databytes(7); got != want {
			t.Errorf("%q: %d", value, got)
		}
	}
	if got := Environment(nil).Databytes(7); got != 7 {
		t.Error(got)
	}
}

// connected returns the two ends of a TCP connection.
func connected(t *testing.T, address string) (client, server *os.File) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	client, err1 := c.(*net.TCPConn).File()
	server, err2 := s.(*net.TCPConn).File()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

func TestOfSocket(t *testing.T) {
	for address, ip := range map[string]string{"127.0.0.1:0": "127.0.0.1", "[::1]:0": "::1"} {
		_, server := connected(t, address)
		env := Environment{"A=1"}
		got := OfSocket(env, int(server.Fd()))
		for _, name := range []string{"TCPREMOTEIP", "TCPLOCALIP"} {
			if value, _ := got.Lookup(name); value != ip {
				t.Errorf("%s of %s: %q", name, address, value)
			}
		}
		if port, _ := got.Lookup("TCPREMOTEPORT"); port == "" || port == "0" || len(env) != 1 {
			t.Errorf("%q from %q", got, env)
		}
		env = Environment{"TCPREMOTEIP=192.0.2.1"}
		if got := OfSocket(env, int(server.Fd())); !slices.Equal(got, env) {
			t.Errorf("an environment that has them became %q", got)
		}
	}
	null, _ := os.Open(os.DevNull)
	defer null.Close()
	for _, fd := range []int{int(null.Fd()), 9999} {
		if got := OfSocket(nil, fd); len(got) > 0 {
			t.Errorf("descriptor %d: %q", fd, got)
		}
	}
}

// FuzzEnvironment: a variable that is put into an environment is found there, once, and
// others are as they were.
func FuzzEnvironment(f *testing.F) {
	f.Add("A=1\x00EMPTY=\x00A=2\x00odd", "A", "3", "DATABYTES")
	f.Add("DATABYTES=99999999999999999999999", "TCPREMOTEIP", "", "=")
	f.Fuzz(func(t *testing.T, variables, name, value, other string) {
		if name == "" || strings.Contains(name, "=") || strings.Contains(other, "=") || name == other {
			return
		}
		e := Environment(strings.Split(variables, "\x00"))
		before, wasSet := e.Lookup(other)
		changed := e.With([]string{name + "=" + value})
		if got, set := changed.Lookup(name); got != value || !set {
			t.Errorf("%q: %q", changed, got)
		}
		if after, isSet := changed.Lookup(other); after != before || isSet != wasSet {
			t.Errorf("%q: %q, before %q", changed, after, before)
		}
		e.Peer()
		e.Databytes(1)
	})
}
