package proxy

import (
	"bufio"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
)

const (
	v2  = signature
	ip4 = "\xc0\x00\x02\x01\xc6\x33\x64\x02\x10\xd8\x00\x19" // 192.0.2.1, 198.51.100.2, 4312, 25
	ip6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x10\xd8\x00\x19"
)

func TestRead(t *testing.T) {
	for in, want := range map[string]string{
		"PROXY TCP4 192.0.2.1 198.51.100.2 4312 25\r\n":               "192.0.2.1:4312 198.51.100.2:25",
		"PROXY TCP6 2001:db8::1 2001:db8::2 4312 25\r\n":              "[2001:db8::1]:4312 [2001:db8::2]:25",
		"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 4312 25\r\n": "192.0.2.1:4312 198.51.100.2:25",
		"PROXY UNKNOWN\r\n": "local",
		"PROXY UNKNOWN ffff:f...f:ffff what ever 65535 65535\r\n":    "local",
		"PROXY UNKNOWN " + strings.Repeat("x", maxLine-16) + "\r\n":  "local",
		v2 + "\x21\x11\x00\x0c" + ip4:                                "192.0.2.1:4312 198.51.100.2:25",
		v2 + "\x21\x21\x00\x24" + ip6:                                "[2001:db8::1]:4312 [2001:db8::2]:25",
		v2 + "\x21\x11\x00\x11" + ip4 + "\x03\x00\x02ab":             "192.0.2.1:4312 198.51.100.2:25",
		v2 + "\x20\x00\x00\x00":                                      "local",
		v2 + "\x20\x11\x00\x0c" + ip4:                                "local",
		v2 + "\x21\x00\x00\x00":                                      "local",
		v2 + "\x21\x12\x00\x0c" + ip4:                                "local", // UDP
		v2 + "\x21\x31\x00\x03abc":                                   "local", // AF_UNIX
		v2 + "\x21\x11\x10\x00" + ip4 + strings.Repeat("x", 4096-12): "192.0.2.1:4312 198.51.100.2:25",
		"EHLO client\r\n":                                            "malformed",
		"PROXY TCP4 192.0.2.1 198.51.100.2 4312 25\n\r\n":            "malformed",
		"PROXY TCP4 192.0.2.1 198.51.100.2 4312\r\n":                 "malformed",
		"PROXY TCP4 192.0.2.1 198.51.100.2 4312 25 \r\n":             "malformed",
		"PROXY  TCP4 192.0.2.1 198.51.100.2 4312 25\r\n":             "malformed",
		"PROXY TCP4 192.0.2.1 198.51.100.2 65536 25\r\n":             "malformed",
		"PROXY TCP4 192.0.2.1 198.51.100.2 4312 -5\r\n":              "malformed",
		"PROXY TCP4 192.0.2.1 198.51.100.2 4312 025\r\n":             "malformed",
		"PROXY TCP4 192.0.2.1 198.51.100.2  25\r\n":                  "malformed",
		"PROXY TCP4 192.0.2.256 198.51.100.2 4312 25\r\n":            "malformed",
		"PROXY TCP4 2001:db8::1 2001:db8::2 4312 25\r\n":             "malformed",
		"PROXY TCP6 192.0.2.1 198.51.100.2 4312 25\r\n":              "malformed",
		"PROXY TCP6 fe80::1%lo fe80::2 4312 25\r\n":                  "malformed",
		"PROXY UDP4 192.0.2.1 198.51.100.2 4312 25\r\n":              "malformed",
		"PROXY UNKNOWNX\r\n":                                         "malformed",
		"PROXX TCP4 192.0.2.1 198.51.100.2 4312 25\r\n":              "malformed",
		"PROXY UNKNOWN " + strings.Repeat("x", maxLine-15) + "\r\n":  "malformed",
		v2 + "\x21\x11\x00\x0b" + ip4:                                "malformed",
		v2 + "\x21\x21\x00\x0c" + ip4:                                "malformed",
		v2 + "\x11\x11\x00\x0c" + ip4:                                "malformed",
		v2 + "\x22\x11\x00\x0c" + ip4:                                "malformed",
		v2 + "\x21\x11\x10\x01" + ip4 + strings.Repeat("x", 5000):    "malformed",
		"\r\n\r\n\x00\r\nQUIX\n\x21\x11\x00\x0c" + ip4:               "malformed",
		"":                                     "cut off",
		"PROXY TCP4 192.0.2.1 198.51.100.2 43": "cut off",
		v2:                                     "cut off",
		v2 + "\x21\x11\x00\x0c" + ip4[:11]:     "cut off",
	} {
		const next = "EHLO client\r\n"
		if want != "cut off" {
			in += next
		}
		r := bufio.NewReader(strings.NewReader(in))
		h, err := Read(r)
		got := h.Source.String() + " " + h.Destination.String()
		switch {
		case errors.Is(err, ErrMalformed):
			got = "malformed"
		case err == io.ErrUnexpectedEOF:
			got = "cut off"
		case err != nil:
			got = err.Error()
		case h.Local:
			got = "local"
		}
		if got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
		if rest, _ := io.ReadAll(r); err == nil && string(rest) != next {
			t.Errorf("%q: left %q", in, rest)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.1 198.51.100.2 4312 25\r\nEHLO x\r\n"))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add([]byte(v2 + "\x21\x11\x00\x0c" + ip4))
	f.Add([]byte(v2 + "\x21\x21\x00\x24" + ip6))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bufio.NewReader(strings.NewReader(string(in)))
		h, err := Read(r)
		rest, _ := io.ReadAll(r)
		switch {
		case err != nil:
		case h.Local == (h.Source != netip.AddrPort{}), h.Source.Addr().Is4In6(), h.Source.Addr().Zone() != "":
			t.Errorf("%+v", h)
		case len(in)-len(rest) > 16+maxLength, len(rest) == len(in), string(in[len(in)-len(rest):]) != string(rest):
			t.Errorf("%d of %d bytes left", len(rest), len(in))
		}
	})
}
