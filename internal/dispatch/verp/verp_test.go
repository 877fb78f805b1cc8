package verp

import (
	"strings"
	"testing"
)

func TestExpand(t *testing.T) {
	for _, c := range []struct{ name, sender, recipient, want, base string }{
		{"plain", "s@x", "joe@far", "s@x", "s@x"},
		{"nobody", "", "joe@far", "", ""},
		{"double bounce", "#@[]", "joe@far", "#@[]", "#@[]"},
		{"variable", "list-@host-@[]", "joe@far", "list-joe=far@host", "list-@host"},
		{"a recipient with two @", "list-@host-@[]", "a@b@far", "list-a@b=far@host", "list-@host"},
		{"a sender with two @", "a@list-@host-@[]", "joe@far", "a@list-joe=far@host", "a@list-@host"},
		{"a recipient without a host", "list-@host-@[]", "joe", "list-@host-@[]", "list-@host"},
		{"a path without a host", "list--@[]", "joe@far", "list--@[]", "list-"},
		{"nothing but the mark", "-@[]", "joe@far", "-@[]", ""},
		{"an empty host", "list-@-@[]", "joe@far", "list-joe=far@", "list-@"},
		{"an empty recipient", "list-@host-@[]", "@", "list-=@host", "list-@host"},
		{"the mark in the middle", "list-@[]-@host", "joe@far", "list-@[]-@host", "list-@[]-@host"},
	} {
		if got := Expand(c.sender, c.recipient); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if got := Base(c.sender); got != c.base {
			t.Errorf("%s: base %q, want %q", c.name, got, c.base)
		}
	}
}

// FuzzExpand: a sender is either as it was, or that of the list with the recipient in it.
func FuzzExpand(f *testing.F) {
	f.Add("list-@host-@[]", "joe@far")
	f.Add("s@x", "joe@far")
	f.Add("-@[]", "@")
	f.Fuzz(func(t *testing.T, sender, recipient string) {
		got := Expand(sender, recipient)
		if got == sender {
			return
		}
		base := Base(sender)
		at := strings.LastIndex(base, "@")
		user, ok := strings.CutPrefix(got, base[:at])
		user, cut := strings.CutSuffix(user, base[at:])
		if base == sender || !ok || !cut || len(user) != len(recipient) || strings.Contains(user[strings.LastIndex(recipient, "@"):], "@") {
			t.Errorf("%q", got)
		}
	})
}
