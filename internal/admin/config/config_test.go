package config

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/host/control"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/dns"
)

// newConfig has these control files.
func newConfig(t *testing.T, files map[string]string) (Config, *strings.Builder) {
	t.Helper()
	home := t.TempDir()
	if err := os.Mkdir(home+"/control", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(home, "control", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	return Config{"/home", control.In(home), &out}, &out
}

func directory(c Config) control.Dir { return c.Control.(control.Dir) }

// written is what the five files have.
func written(c Config) string {
	var all []string
	for _, name := range []string{"me", "defaultdomain", "plusdomain", "locals", "rcpthosts"} {
		text, err := os.ReadFile(directory(c).Path(name))
		if err != nil {
			text = []byte("-")
		}
		all = append(all, strings.ReplaceAll(strings.TrimSuffix(string(text), "\n"), "\n", ","))
	}
	return strings.Join(all, " ")
}

func TestFast(t *testing.T) {
	for _, c := range []struct {
		name string
		old  map[string]string
		want string
	}{
		{"mail.example.org", nil, "mail.example.org example.org example.org mail.example.org mail.example.org"},
		{"a.b.c.example.org", nil, "a.b.c.example.org b.c.example.org example.org a.b.c.example.org a.b.c.example.org"},
		{"example.org", nil, "example.org example.org example.org example.org example.org"},
		{"localhost", nil, "localhost localhost localhost localhost localhost"},
		{"mail.example.org", map[string]string{"me": "old\n", "plusdomain": "old\n", "locals": "one\nMAIL.example.org\n", "rcpthosts": "one\n"},
			"mail.example.org example.org example.org one,MAIL.example.org one,mail.example.org"},
	} {
		config, out := newConfig(t, c.old)
		if err := config.Fast(c.name); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := written(config); got != c.want {
			t.Errorf("%s: %s, want %s\n%s", c.name, got, c.want, out)
		}
		again, _ := newConfig(t, c.old)
		again.Fast(c.name)
		again.Fast(c.name)
		if got := written(again); got != c.want {
			t.Errorf("%s, twice: %s, want %s", c.name, got, c.want)
		}
	}
	config, out := newConfig(t, nil)
	config.Fast("mail.example.org")
	const want = `Your fully qualified host name is mail.example.org.
Putting mail.example.org into control/me...
Putting example.org into control/defaultdomain...
Putting example.org into control/plusdomain...
Putting mail.example.org into control/locals...
Putting mail.example.org into control/rcpthosts...
Now qmail will refuse to accept SMTP messages except to mail.example.org.
Make sure to change rcpthosts if you add hosts to locals or virtualdomains!
`
	if out.String() != want {
		t.Errorf("%s, want %s", out, want)
	}
}

func TestFastRefuses(t *testing.T) {
	for _, name := range []string{"", ".", "a..b", "a.b.", ".a", "a b", "a\nb", "#a", "a/b", "ä.b", strings.Repeat("x", 64), strings.Repeat("x.", 127) + "xx"} {
		config, _ := newConfig(t, nil)
		if err := config.Fast(name); outcome.Of(err) != outcome.Failure || written(config) != "- - - - -" {
			t.Errorf("%q: %v, %s", name, err, written(config))
		}
	}
	config, _ := newConfig(t, map[string]string{"locals": strings.Repeat("x", control.MaxLine+1)})
	if err := config.Fast("a.b"); outcome.Of(err) != outcome.Deferral {
		t.Error(err)
	}
	os.RemoveAll(filepath.Dir(directory(config).Path("me")))
	if err := config.Fast("a.b"); outcome.Of(err) != outcome.Deferral {
		t.Error(err)
	}
}

// world is a small DNS, of names to addresses and addresses to a name.
type world map[string]string

func (w world) Addresses(_ context.Context, name dns.Name) (list []netip.Addr, err error) {
	for _, word := range strings.Fields(w[string(name)]) {
		list = append(list, netip.MustParseAddr(word))
	}
	if len(list) == 0 {
		err = dns.ErrNotFound
	}
	return list, err
}

func (w world) Exchangers(context.Context, dns.Name) ([]dns.Exchanger, error) {
	return nil, dns.ErrNotFound
}

func (w world) Names(_ context.Context, address netip.Addr) ([]string, error) {
	if name, ok := w[address.String()]; ok {
		return []string{name}, nil
	}
	return nil, dns.ErrNotFound
}

func TestDiscover(t *testing.T) {
	internet := world{
		"box.example.org.": "192.0.2.1", "192.0.2.1": "Mail.Example.Org", "mail.example.org.": "192.0.2.1 192.0.2.2",
		"192.0.2.2": "web.example.org", "web.example.org.": "192.0.2.2",
		"192.0.2.3": "bank.example", "bank.example.": "198.51.100.1",
		"192.0.2.4": "a b", "127.0.0.1": "localhost", "localhost.": "127.0.0.1",
	}
	config, out := newConfig(t, map[string]string{"locals": "old\n", "rcpthosts": "old\n"})
	m := Machine{Hostname: "BOX", Search: []string{"example.org"}}
	for _, a := range []string{"127.0.0.1", "192.0.2.1", "192.0.2.3", "192.0.2.4", "192.0.2.9"} {
		m.Own = append(m.Own, netip.MustParseAddr(a))
	}
	if err := config.Discover(internet, m); err != nil {
		t.Error(err)
	}
	const locals = "mail.example.org,localhost,web.example.org"
	if got, want := written(config), "mail.example.org example.org example.org "+locals+" "+locals; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, want := range []string{
		"Your hostname is box.\nYour host's fully qualified name in DNS is mail.example.org.\n",
		"\n192.0.2.1: control/locals has mail.example.org already.\n",
		"\n192.0.2.3: \"bank.example\" does not lead back here. Not added.\n",
		"\n192.0.2.4: \"a b\" does not lead back here. Not added.\n",
		"\n192.0.2.9: PTR lookup failed. I assume this address has no DNS name.\n",
		"\nCopying /home/control/locals to /home/control/rcpthosts...\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestDiscoverNothing(t *testing.T) {
	for hostname, want := range map[string]string{
		"":           "Sorry, I couldn't find your hostname.\n",
		"unknown":    "Sorry, I couldn't find your host's canonical name in DNS.\n",
		"bad.test":   "Sorry, I couldn't find your host's canonical name in DNS.\n",
		"un\nlikely": "Sorry, I couldn't find your host's canonical name in DNS.\n",
	} {
		config, out := newConfig(t, map[string]string{"me": "old\n"})
		err := config.Discover(world{"bad.test.": "192.0.2.1", "192.0.2.1": "a b"}, Machine{Hostname: hostname})
		if outcome.Of(err) != outcome.Failure || written(config) != "old - - - -" || !strings.Contains(out.String(), want) {
			t.Errorf("%q: %v, %s, %s", hostname, err, written(config), out)
		}
	}
}
