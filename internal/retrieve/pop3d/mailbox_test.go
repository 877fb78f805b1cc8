package pop3d

import (
	"strings"
	"testing"
	"time"

	"goqmail/internal/retrieve/maildir"
)

func TestIdentify(t *testing.T) {
	named := func(names ...string) []message {
		var list []message
		for i, n := range names {
			list = append(list, message{Message: maildir.Message{Name: "new/" + n, Delivered: time.Unix(int64(i), 0)}})
		}
		identify(list)
		return list
	}
	for _, c := range []struct {
		names []string
		want  []string // empty where it is a hash
	}{
		{[]string{"1.2.host"}, []string{"1.2.host"}},
		{[]string{"1.2.host:2,S", "1.3.host:1,x:y", "3:"}, []string{"1.2.host", "1.3.host", "3"}},
		{[]string{"1.2.host,S=10,W=12:2,"}, []string{"1.2.host,S=10,W=12"}},
		{[]string{strings.Repeat("x", 255)}, []string{strings.Repeat("x", 255)}},
		{[]string{"a b", "a\r\n.\r\n", "\xff", "ä", "a\x7f", ":2,S", ":"}, []string{"", "", "", "", "", "", ""}},
		{[]string{"a", "a:2,S", "a:2,", "b"}, []string{"a", "", "", "b"}},
		{[]string{hash("a b"), "a b", "a b:2,"}, []string{hash("a b"), "", ""}},
	} {
		seen := map[string]bool{}
		for i, m := range named(c.names...) {
			if c.want[i] != "" && m.uid != c.want[i] || c.want[i] == "" && len(m.uid) != 40 {
				t.Errorf("%q: %q, want %q", m.Name, m.uid, c.want[i])
			}
			if seen[m.uid] {
				t.Errorf("%q: %q twice", c.names, m.uid)
			}
			seen[m.uid] = true
		}
	}
	// What the flags are, and what else is in the maildir, does not matter.
	if a, b := named("a b"), named("x", "a b:2,S"); a[0].uid != b[1].uid {
		t.Errorf("%q, %q", a[0].uid, b[1].uid)
	}
	if a, b := named(":2,S"), named("x", ":2,RS"); a[0].uid != b[1].uid {
		t.Errorf("%q, %q", a[1].uid, b[1].uid)
	}
}

// FuzzIdentify: unique-ids are what RFC 1939 allows, but for their length, and
// unique.
func FuzzIdentify(f *testing.F) {
	for _, s := range []string{"a/a:2,S/b", "a b/a b:2,/:/", "\xff/\n/.", strings.Repeat("/", 20000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, names string) {
		var list []message
		for _, n := range strings.Split(names, "/") {
			list = append(list, message{Message: maildir.Message{Name: "cur/" + n}})
		}
		identify(list)
		seen := map[string]bool{}
		for _, m := range list {
			if !printable(m.uid) || seen[m.uid] {
				t.Errorf("%q of %q", m.uid, m.Name)
			}
			seen[m.uid] = true
		}
	})
}
