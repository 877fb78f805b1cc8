package route

import (
	"strings"
	"testing"

	"goqmail/internal/mail/fold"
)

func table(locals, percentHack, virtual string) *Table {
	return &Table{
		Locals:      fold.NewSet(strings.Fields(locals)),
		PercentHack: fold.NewSet(strings.Fields(percentHack)),
		Virtual:     fold.NewMap(strings.Fields(virtual)),
		EnvNoAtHost: "me.example",
	}
}

func TestRoute(t *testing.T) {
	for _, c := range []struct {
		name, locals, percentHack, virtual string
		recipient, want                    string
	}{
		{"local", "a.example", "", "", "joe@a.example", "local joe@a.example"},
		{"in whatever case", "A.example", "", "", "Joe@a.EXAMPLE", "local Joe@a.EXAMPLE"},
		{"remote", "a.example", "", "", "joe@b.example", "remote joe@b.example"},
		{"a subdomain is another host", "a.example", "", "", "joe@x.a.example", "remote joe@x.a.example"},
		{"the last @ counts", "a.example", "", "", "joe@b.example@a.example", "local joe@b.example@a.example"},
		{"no host", "", "", "", "joe", "remote joe@me.example"},
		{"no host, local", "me.example", "", "", "joe", "local joe@me.example"},
		{"empty host", "a.example", "", "", "joe@", "remote joe@"},
		{"nothing", "me.example", "", "", "", "local @me.example"},
		{"only @", "", "", "", "@", "remote @"},

		{"percent hack", "a.example", "a.example", "", "joe%b.example@a.example", "remote joe@b.example"},
		{"percent hack, case", "a.example", "A.EXAMPLE", "", "joe%b.example@a.example", "remote joe@b.example"},
		{"percent hack twice", "c.example", "a.example b.example", "", "joe%c.example%b.example@a.example", "local joe@c.example"},
		{"percent hack back to itself", "a.example", "a.example", "", "joe%a.example@a.example", "local joe@a.example"},
		{"not for this host", "a.example", "b.example", "", "joe%b.example@a.example", "local joe%b.example@a.example"},
		{"no percent", "a.example", "a.example", "", "joe@a.example", "local joe@a.example"},
		{"the last percent counts", "a.example", "a.example", "", "x%y%b.example@a.example", "remote x%y@b.example"},
		{"percent hack with an @ before it", "a.example", "a.example", "", "x%b.example@c@a.example", "remote x@b.example@c"},
		{"percent and nothing", "a.example", "a.example", "", "joe%@a.example", "remote joe@"},
		{"percent hack on envnoathost", "", "me.example", "", "joe%b.example", "remote joe@b.example"},

		{"virtual domain", "", "", "v.example:vu", "joe@v.example", "local vu-joe@v.example"},
		{"virtual domain, case", "", "", "V.Example:vu", "Joe@v.EXAMPLE", "local vu-Joe@v.EXAMPLE"},
		{"virtual user", "", "", "joe@v.example:vu", "Joe@V.example", "local vu-Joe@V.example"},
		{"another user", "", "", "joe@v.example:vu", "ann@v.example", "remote ann@v.example"},
		{"user before domain", "", "", "joe@v.example:u v.example:d", "joe@v.example", "local u-joe@v.example"},
		{"domain before wildcard", "", "", "v.example:d .example:w", "joe@v.example", "local d-joe@v.example"},
		{"wildcard", "", "", ".example:w", "joe@v.example", "local w-joe@v.example"},
		{"a wildcard is not for the domain itself", "", "", ".v.example:w", "joe@v.example", "remote joe@v.example"},
		{"the longest wildcard", "", "", ".example:w .v.example:x", "joe@a.v.example", "local x-joe@a.v.example"},
		{"everything", "", "", ":all", "joe@v.example", "local all-joe@v.example"},
		{"everything but locals", "v.example", "", ":all", "joe@v.example", "local joe@v.example"},
		{"an exception", "", "", ":all v.example:", "joe@v.example", "remote joe@v.example"},
		{"an exception for a user", "", "", "joe@v.example: v.example:vu", "joe@v.example", "remote joe@v.example"},
		{"a dot at the end", "", "", ".:w", "joe@v.example.", "local w-joe@v.example."},
		{"the last entry counts", "", "", "v.example:one v.example:two", "joe@v.example", "local two-joe@v.example"},
		{"an entry without a colon is none", "", "", "v.example", "joe@v.example", "remote joe@v.example"},
		{"a prefix with a colon", "", "", "v.example:a:b", "joe@v.example", "local a:b-joe@v.example"},
		{"no wildcards in the local part", "", "", ".b:w", "a.b@v.example", "remote a.b@v.example"},
		{"percent hack before virtual domains", "", "h.example", "v.example:vu", "joe%v.example@h.example", "local vu-joe@v.example"},
	} {
		channel, address := table(c.locals, c.percentHack, c.virtual).Route(c.recipient)
		if got := channel.String() + " " + address; got != c.want {
			t.Errorf("%s: %s goes to %s, want %s", c.name, c.recipient, got, c.want)
		}
	}
}

func TestOriginal(t *testing.T) {
	for _, c := range []struct{ name, virtual, recipient, want string }{
		{"not virtual", "", "joe@v.example", "joe@v.example"},
		{"virtual domain", "v.example:vu", "vu-joe@v.example", "joe@v.example"},
		{"in whatever case", "v.example:vu", "vu-Joe@V.example", "Joe@V.example"},
		{"wildcard", ".example:vu-x", "vu-x-joe@v.example", "joe@v.example"},
		{"everything", ":all", "all-joe@v.example", "joe@v.example"},
		{"virtual user", "joe@v.example:vu", "vu-joe@v.example", "vu-joe@v.example"},
		{"another prefix by now", "v.example:other", "vu-joe@v.example", "vu-joe@v.example"},
		{"a prefix that is no more than a part", "v.example:v", "vu-joe@v.example", "vu-joe@v.example"},
		{"exception", "v.example: :all", "all-joe@v.example", "all-joe@v.example"},
		{"no host", ":all", "all-joe", "all-joe"},
	} {
		if got := table("", "", c.virtual).Original(c.recipient); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestChannels(t *testing.T) {
	if Local.Kind() != "local" || Remote.Kind() != "remote" || Local.String() != "local" || Remote.String() != "remote" {
		t.Error(Local.Kind(), Remote.Kind())
	}
}

// FuzzRoute: any recipient gets a host, and what was done for a virtual domain can
// be undone.
func FuzzRoute(f *testing.F) {
	for _, r := range []string{"", "@", "joe", "%%@h.example", "a%b@h.example", "joe@v.example", "a.b@c@.v.example", "x%b@v.example@v.example"} {
		f.Add(r)
	}
	t := table("l.example", "h.example v.example", "v.example:vu .v.example:w u@x.example:u")
	f.Fuzz(func(tt *testing.T, recipient string) {
		channel, address := t.Route(recipient)
		if !strings.Contains(address, "@") || len(address) > len(recipient)+len("vu-@me.example") {
			tt.Errorf("%q goes to %s %q", recipient, channel, address)
		}
		// With more than one @ the percent hack may leave a host that it could be
		// applied to again, as it always did.
		if again := t.qualify(t.qualify(recipient)); again != t.qualify(recipient) && strings.Count(recipient, "@") < 2 {
			tt.Errorf("%q is qualified to %q", t.qualify(recipient), again)
		}
		if _, user := t.Virtual.Get(t.qualify(recipient)); channel == Local && !user {
			if got := t.Original(address); got != t.qualify(recipient) && !t.Locals.Has(address[strings.LastIndexByte(address, '@')+1:]) {
				tt.Errorf("%q goes to %q and comes back as %q", recipient, address, got)
			}
		}
	})
}
