package dns

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func TestParseName(t *testing.T) {
	label := strings.Repeat("x", 63)
	for _, c := range []struct {
		host string
		want Name
	}{
		{"y.test", "y.test."},
		{"Y.test.", "Y.test."},
		{"short", "short."},
		{"_x-1.test", "_x-1.test."},
		{"a b\x01\xe4.test", `a\ b\001\228.test.`},
		{`a\.b`, `a\\.b.`},
		{"a\x00b", `a\000b.`},
		{"", ""},
		{".", ""},
		{".y", ""},
		{"y..test", ""},
		{label + ".test", Name(label + ".test.")},
		{label + "x.test", ""},
		{label + "." + label + "." + label + "." + label[:61], Name(label + "." + label + "." + label + "." + label[:61] + ".")},
		{label + "." + label + "." + label + "." + label[:62], ""},
	} {
		if got, ok := ParseName(c.host); got != c.want || ok != (c.want != "") {
			t.Errorf("%q: %q, %v", c.host, got, ok)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		file     string
		servers  string
		timeout  int
		attempts int
		rotate   bool
	}{
		{"", "127.0.0.1:53", 5, 2, false},
		{"nameserver 192.0.2.1\n", "192.0.2.1:53", 5, 2, false},
		{"# x\n; y\nsearch a.test\nnameserver\t2001:db8::1 # x\nnameserver fe80::1%eth0\nnameserver 192.0.2.1\nnameserver 192.0.2.2", "[2001:db8::1]:53 [fe80::1%eth0]:53 192.0.2.1:53", 5, 2, false},
		{"nameserver x\nnameserver\n#nameserver 192.0.2.1\noptions rotate ndots:3 timeout:1 attempts:4\n", "127.0.0.1:53", 1, 4, true},
		{"options timeout:1000 attempts:1000\n", "127.0.0.1:53", 30, 5, false},
		{"options timeout:0 attempts:-1\noptions timeout:x attempts\n", "127.0.0.1:53", 5, 2, false},
		{strings.Repeat("\xff", 1<<20), "127.0.0.1:53", 5, 2, false},
	} {
		r := read(strings.NewReader(c.file))
		var servers []string
		for _, s := range r.Servers {
			servers = append(servers, s.String())
		}
		if strings.Join(servers, " ") != c.servers || r.Timeout != time.Duration(c.timeout)*time.Second || r.Attempts != c.attempts || r.Rotate != c.rotate {
			t.Errorf("%.40q: %+v", c.file, r)
		}
	}
	if r := FromFile("/nonexistent"); len(r.Servers) != 1 {
		t.Error(r)
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	f := InFile(path)
	for i, change := range []struct {
		do   func()
		want string
	}{
		{func() {}, "127.0.0.1:53"},
		{func() { os.WriteFile(path, []byte("nameserver 192.0.2.1\n"), 0o644) }, "192.0.2.1:53"},
		{func() {}, "192.0.2.1:53"},
		{func() {
			os.WriteFile(path+"~", []byte("nameserver 192.0.2.2\n"), 0o644)
			os.Rename(path+"~", path)
		}, "192.0.2.2:53"},
		{func() { os.Remove(path) }, "127.0.0.1:53"},
	} {
		change.do()
		if got := f.resolver().Servers[0].String(); got != change.want {
			t.Errorf("%d: %s, want %s", i, got, change.want)
		}
	}
	if first, second := f.resolver(), f.resolver(); first != second {
		t.Error("read again without a reason")
	}
}

// FuzzAnswer takes whatever a server may send.
func TestSearchList(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	for text, want := range map[string]string{
		"":                                 "",
		"search\n":                         "",
		"nameserver 192.0.2.1\n# search x": "",
		"domain a.test\n":                  "a.test",
		"domain a.test b\nsearch  b.test\tc.test\n": "b.test c.test",
		"search a b c d e f g\n":                    "a b c d e f",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(SearchList(path), " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := SearchList("/nonexistent"); got != nil {
		t.Errorf("%q", got)
	}
}

func FuzzAnswer(f *testing.F) {
	for _, records := range [][]string{{"y.test. MX 10 a.test."}, {"y.test. CNAME z.test.", "z.test. A 192.0.2.1"}, {"y.test. AAAA ::1"}, {"y.test. CNAME y.test."}, {"y.test. SERVFAIL"}, nil} {
		for _, typ := range []uint16{dns.TypeA, dns.TypeMX} {
			packed, _ := zone(records...)(new(dns.Msg).SetQuestion("y.test.", typ), true)[0].Pack()
			packed[0], packed[1] = 0, 0
			f.Add(packed)
		}
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		for _, typ := range []uint16{dns.TypeMX, dns.TypeA, dns.TypeAAAA} {
			one := question{typ: typ}
			message := one.answeredBy(packed, "y.test.")
			if message == nil {
				continue
			}
			rejectsEDNS(message)
			a := pick(message, "y.test.", typ)
			if (a.err == nil) != (len(a.records) > 0 || a.alias != "") || a.err != nil && len(a.records) > 0 {
				t.Errorf("%+v", a)
			}
			for _, record := range a.records {
				if record.Header().Rrtype != typ {
					t.Errorf("%v among %d", record, typ)
				}
				addressIn(record)
			}
		}
	})
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"y.test", `\`, "a\x00.", "..", strings.Repeat("x.", 127)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		name, ok := ParseName(host)
		if !ok {
			return
		}
		one := question{typ: dns.TypeMX}
		packed, err := one.pack(name)
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		packed[2] |= 0x80 // an answer
		if one.answeredBy(packed, name) == nil {
			t.Errorf("%q is not what was asked", name)
		}
	})
}
