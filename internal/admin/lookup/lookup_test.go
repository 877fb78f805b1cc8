package lookup

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"goqmail/internal/host/ipme"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/dns"
)

// world is a small DNS: names to addresses, "mx "+name to exchangers, and addresses
// to names. An entry of "?" cannot be looked up.
type world map[string]string

var errSilence = errors.New("no answer from any name server")

func (w world) find(key string) ([]string, error) {
	switch value, ok := w[key]; {
	case !ok:
		return nil, dns.ErrNotFound
	case value == "?":
		return nil, errSilence
	case value == ".":
		return nil, dns.ErrNoMail
	default:
		return strings.Fields(value), nil
	}
}

func (w world) Addresses(_ context.Context, name dns.Name) (list []netip.Addr, err error) {
	words, err := w.find(string(name))
	for _, word := range words {
		list = append(list, netip.MustParseAddr(word))
	}
	return list, err
}

func (w world) Exchangers(_ context.Context, name dns.Name) (list []dns.Exchanger, err error) {
	words, err := w.find("mx " + string(name))
	for i, word := range words {
		list = append(list, dns.Exchanger{Preference: uint16(10 * (i + 1)), Host: dns.Name(word)})
	}
	return list, err
}

func (w world) Names(_ context.Context, address netip.Addr) ([]string, error) {
	return w.find(address.String())
}

var small = world{
	"host.test.": "192.0.2.1 2001:db8::1", "192.0.2.1": "canonical.test other.test", "2001:db8::1": "six.test",
	"nameless.test.": "192.0.2.9", "silent.test.": "?", "192.0.2.8": "?",
	"short.b.test.": "192.0.2.1", "trouble.a.test.": "?", "trouble.b.test.": "192.0.2.1",
	"mx many.test.": "a.test. none.test. b.test.", "a.test.": "192.0.2.11 192.0.2.12", "b.test.": "192.0.2.13",
	"mx half.test.": "silent.test. b.test.", "mx lost.test.": "none.test. silent.test.", "mx gone.test.": "none.test.",
	"mx null.test.": ".", "mx silent.test.": "?", "mx down.test.": "silent.test. none.test.",
}

func TestLookups(t *testing.T) {
	search := []string{"a.test", "b.test"}
	for _, c := range []struct {
		program, argument, want string
		outcome                 outcome.Outcome
	}{
		{"dnsip", "host.test", "192.0.2.1\n2001:db8::1\n", outcome.Success},
		{"dnsip", "127.0.0.1", "127.0.0.1\n", outcome.Success},
		{"dnsip", "[192.0.2.1]", "192.0.2.1\n", outcome.Success},
		{"dnsip", "2001:db8::1", "2001:db8::1\n", outcome.Success},
		{"dnsip", "none.test", "hard error: none.test: no such host", outcome.Failure},
		{"dnsip", "a..test", "hard error: a..test: no such host", outcome.Failure},
		{"dnsip", "", "hard error: : no such host", outcome.Failure},
		{"dnsip", "silent.test", "soft error: silent.test: no answer from any name server", outcome.Deferral},
		{"dnsptr", "192.0.2.1", "canonical.test\n", outcome.Success},
		{"dnsptr", "2001:db8::1", "six.test\n", outcome.Success},
		{"dnsptr", "192.0.2.9", "hard error: 192.0.2.9: no such host", outcome.Failure},
		{"dnsptr", "192.0.2.8", "soft error: 192.0.2.8: no answer from any name server", outcome.Deferral},
		{"dnsptr", "192.0.2", `"192.0.2" is not an IP address`, outcome.Failure},
		{"dnsptr", "fe80::1%lo", `"fe80::1%lo" is not an IP address`, outcome.Failure},
		{"dnsfq", "host.test", "canonical.test\n", outcome.Success},
		{"dnsfq", "short", "canonical.test\n", outcome.Success},
		{"dnsfq", "trouble", "soft error: trouble.a.test: no answer from any name server", outcome.Deferral},
		{"dnsfq", "nowhere", "hard error: nowhere: no such host", outcome.Failure},
		{"dnsfq", "short.b", "hard error: short.b: no such host", outcome.Failure},
		{"dnsfq", "nameless.test", "hard error: 192.0.2.9: no such host", outcome.Failure},
		{"dnsmxip", "many.test", "192.0.2.11 10\n192.0.2.12 10\n192.0.2.13 30\n", outcome.Success},
		{"dnsmxip", "host.test", "192.0.2.1 0\n2001:db8::1 0\n", outcome.Success},
		{"dnsmxip", "half.test", "192.0.2.13 20\n", outcome.Success},
		{"dnsmxip", "lost.test", "soft error: silent.test.: no answer from any name server", outcome.Deferral},
		{"dnsmxip", "down.test", "soft error: silent.test.: no answer from any name server", outcome.Deferral},
		{"dnsmxip", "gone.test", "hard error: none.test.: no such host", outcome.Failure},
		{"dnsmxip", "none.test", "hard error: none.test.: no such host", outcome.Failure},
		{"dnsmxip", "null.test", "hard error: null.test: the host does not accept mail", outcome.Failure},
		{"dnsmxip", "silent.test", "soft error: silent.test: no answer from any name server", outcome.Deferral},
		{"dnsmxip", "..", "hard error: ..: no such host", outcome.Failure},
	} {
		var out strings.Builder
		var err error
		switch c.program {
		case "dnsip":
			list, e := Addresses(small, c.argument)
			Lines(&out, list...)
			err = e
		case "dnsptr":
			name, e := NameOf(small, c.argument)
			Lines(&out, name)
			err = e
		case "dnsfq":
			name, e := FullName(small, c.argument, search)
			Lines(&out, name)
			err = e
		case "dnsmxip":
			list, e := Exchangers(small, c.argument)
			Lines(&out, list...)
			err = e
		}
		got := out.String()
		if err != nil {
			got = err.Error()
		}
		if got != c.want || outcome.Of(err) != c.outcome {
			t.Errorf("%s %q: %q, %v", c.program, c.argument, got, outcome.Of(err))
		}
	}
}

func TestOwn(t *testing.T) {
	list, err := Own(func() (ipme.Set, error) {
		set := ipme.Set{}
		for _, a := range []string{"0.0.0.0", "::", "2001:db8::1", "192.0.2.1", "127.0.0.1"} {
			set[netip.MustParseAddr(a)] = struct{}{}
		}
		return set, nil
	})
	if got := fmt.Sprint(list); got != "[127.0.0.1 192.0.2.1 2001:db8::1]" || err != nil {
		t.Error(got, err)
	}
	if _, err := Own(func() (ipme.Set, error) { return nil, errSilence }); err != errSilence {
		t.Error(err)
	}
}
