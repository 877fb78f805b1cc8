package tcpenv

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"goqmail/internal/accept/connection"
	"goqmail/internal/wire/dns"
)

// names is a domain name system; other addresses have trouble.
func names(_ context.Context, a netip.Addr) ([]string, error) {
	switch a.String() {
	case "192.0.2.1":
		return []string{"Server.Example", "other.example"}, nil
	case "192.0.2.2":
		return []string{"CLIENT.example"}, nil
	case "192.0.2.3", "2001:db8::3":
		return nil, dns.ErrNotFound
	}
	return nil, errors.New("trouble")
}

func says(user string, err error) func(context.Context, netip.AddrPort, netip.AddrPort) (string, error) {
	return func(ctx context.Context, remote, local netip.AddrPort) (string, error) {
		if _, limited := ctx.Deadline(); !limited {
			return "", errors.New("for ever")
		}
		return user, err
	}
}

func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		name          string
		env           string
		local, remote string
		user          func(context.Context, netip.AddrPort, netip.AddrPort) (string, error)
		want          string
	}{
		{"all", "", "192.0.2.1:25", "192.0.2.2:4000", says("joe", nil),
			"PROTO=TCP TCPLOCALHOST=server.example TCPLOCALIP=192.0.2.1 TCPLOCALPORT=25 TCPREMOTEHOST=client.example TCPREMOTEINFO=joe TCPREMOTEIP=192.0.2.2 TCPREMOTEPORT=4000"},
		{"no names, nobody asked", "", "192.0.2.3:25", "192.0.2.3:4000", nil,
			"PROTO=TCP TCPLOCALIP=192.0.2.3 TCPLOCALPORT=25 TCPREMOTEIP=192.0.2.3 TCPREMOTEPORT=4000"},
		{"trouble", "", "192.0.2.3:25", "192.0.2.9:4000", says("joe", errors.New("trouble")),
			"PROTO=TCP TCPLOCALIP=192.0.2.3 TCPLOCALPORT=25 TCPREMOTEHOST=softdnserror TCPREMOTEIP=192.0.2.9 TCPREMOTEPORT=4000"},
		{"IPv6", "", "[2001:db8::3]:25", "[2001:db8::3]:4000", nil,
			"PROTO=TCP TCPLOCALIP=2001:db8::3 TCPLOCALPORT=25 TCPREMOTEIP=2001:db8::3 TCPREMOTEPORT=4000"},
		{"what was there", "A=b PROTO=UDP TCPLOCALHOST=x TCPREMOTEHOST=x TCPREMOTEINFO=x TCPREMOTEIP=x TCPREMOTEIP=y TCPREMOTEPORT=x TCPLOCALIP=x TCPLOCALPORT=x TCPREMOTEIPX=c RELAYCLIENT=", "192.0.2.3:25", "192.0.2.3:4000", nil,
			"A=b PROTO=TCP RELAYCLIENT= TCPLOCALIP=192.0.2.3 TCPLOCALPORT=25 TCPREMOTEIP=192.0.2.3 TCPREMOTEIPX=c TCPREMOTEPORT=4000"},
	} {
		e := connection.Endpoints{Remote: netip.MustParseAddrPort(c.remote), Local: netip.MustParseAddrPort(c.local)}
		got := Describe(strings.Fields(c.env), e, World{Names: names, User: c.user, Patience: time.Minute})
		slices.Sort(got)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s:\n%s, want\n%s", c.name, strings.Join(got, " "), c.want)
		}
	}
}

func TestKnown(t *testing.T) {
	for env, want := range map[string]bool{"PROTO=TCP": true, "A=b PROTO=TCP TCPREMOTEIP=x": true, "PROTO=UDP": false, "PROTO=": false, "PROTO=TCP6": false, "": false} {
		if Known(strings.Fields(env)) != want {
			t.Errorf("%q", env)
		}
	}
}

func TestParseArgs(t *testing.T) {
	for _, c := range []struct {
		args     string
		user     bool
		patience time.Duration
		program  string
	}{
		{"", true, 30 * time.Second, ""},
		{"prog -R", true, 30 * time.Second, "prog -R"},
		{"-R prog", false, 30 * time.Second, "prog"},
		{"-R -r prog", true, 30 * time.Second, "prog"},
		{"-t5 prog", true, 5 * time.Second, "prog"},
		{"-Rt 5 -- -prog", false, 5 * time.Second, "-prog"},
		{"-tx prog", true, 0, "prog"},
		{"-t99999999999999999999 prog", true, 24 * time.Hour, "prog"},
		{"-xR prog", false, 30 * time.Second, "prog"},
		{"-t", true, 30 * time.Second, ""},
	} {
		a := ParseArgs(strings.Fields(c.args))
		if a.User != c.user || a.Patience != c.patience || strings.Join(a.Program, " ") != c.program {
			t.Errorf("%q: %+v", c.args, a)
		}
	}
}
