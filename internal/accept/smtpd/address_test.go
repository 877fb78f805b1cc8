package smtpd

import (
	"net/netip"
	"strings"
	"testing"

	"goqmail/internal/host/control"
	"goqmail/internal/host/ipme"
	"goqmail/internal/mail/quote"
)

func in(home string) control.Dir { return control.In(home) }

func TestParsePath(t *testing.T) {
	for argument, want := range map[string]string{
		"FROM:<a@b.test>":              "a@b.test",
		"FROM: <a@b.test> BODY=7BIT":   "a@b.test",
		"FROM:a@b.test SIZE=5":         "a@b.test",
		"FROM:   a@b.test":             "a@b.test",
		"<a@b.test>":                   "a@b.test",
		"FROM:<a@b.test":               "a@b.test",
		"FROM:<>":                      "",
		"FROM:":                        "",
		"":                             "",
		"a@b.test":                     "",
		"FROM:<@b.test>":               "",
		"FROM:<@x,@y:a@b.test>":        "a@b.test",
		"FROM:@x:a@b.test":             "a@b.test",
		"FROM:<@x:@y:a@b.test>":        "@y:a@b.test",
		`FROM:<"a b"@c>`:               "a b@c",
		`FROM:<"a>b"@c>`:               "a>b@c",
		`FROM:<"a\"b"@c>`:              `a"b@c`,
		`FROM:<a\>b@c>`:                "a>b@c",
		`FROM:<a@b\`:                   "a@b",
		`FROM:<"a@b>`:                  "a@b>",
		`FROM:<""@b>`:                  "@b",
		"FROM:<a<b@c>":                 "a<b@c",
		"FROM:< a@b>":                  " a@b",
		"FROM:<\xe4@b>":                "\xe4@b",
		`FROM:"a b"@c x`:               "a b@c",
		"whatever: @x:y <a@b> <c@d> e": "a@b",
	} {
		if got := parsePath(argument); got != want {
			t.Errorf("%q: %q, want %q", argument, got, want)
		}
	}
}

func TestLocalAddressLiterals(t *testing.T) {
	host := "here.test"
	for _, c := range []struct {
		host    *string
		in, out string
	}{
		{&host, "<a@[127.0.0.1]>", "a@here.test"},
		{&host, "<a@b@[127.0.0.1]>", "a@b@here.test"},
		{&host, "<a@[IPv6:::1]>", "a@here.test"},
		{&host, "<a@[127.0.0.99]>", "a@[127.0.0.99]"},
		{&host, "<a@[192.0.2.77]>", "a@[192.0.2.77]"},
		{&host, "<a@[127.0.0.1]x>", "a@[127.0.0.1]x"},
		{&host, "<[127.0.0.1]>", "[127.0.0.1]"},
		{nil, "<a@[127.0.0.1]>", "a@[127.0.0.1]"},
	} {
		if strings.Contains(c.in, "IPv6") && !haveIPv6(t) {
			continue
		}
		s := &session{Config: &Config{LocalIPHost: c.host}}
		if got, err := s.address(c.in); got != c.out || err != nil {
			t.Errorf("%s: %q, %v", c.in, got, err)
		}
	}
}

func TestLongAddress(t *testing.T) {
	s := &session{Config: &Config{}}
	for n, want := range map[int]error{maxAddress: nil, maxAddress + 1: errSyntax} {
		if _, err := s.address("<" + strings.Repeat(`\a`, n) + ">"); err != want {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// Any address that is quoted for SMTP is read back as it was.
func FuzzParsePath(f *testing.F) {
	f.Add("a", "b.test", "SIZE=1")
	f.Add(`a"b\ >`, "c", "")
	f.Add("@x:y", "z", "> <")
	f.Fuzz(func(t *testing.T, local, host, rest string) {
		if strings.ContainsAny(host, `"\<>@`) || strings.ContainsAny(local, "\x00\r\n") {
			return
		}
		want := local + "@" + host
		quoted := quote.Address(want)
		if strings.HasPrefix(quoted, "@") {
			return
		}
		if got := parsePath("FROM:<" + quoted + ">" + rest); got != want {
			t.Errorf("%q quoted as %q: %q", want, quoted, got)
		}
		parsePath(rest)
	})
}

func haveIPv6(t *testing.T) bool {
	t.Helper()
	here, err := ipme.Addresses()
	return err == nil && here.Has(netip.IPv6Loopback())
}
