package account

import (
	"strings"
	"testing"
)

// TestNames: a member is who is named in the line of just this group.
func TestNames(t *testing.T) {
	for line, want := range map[string]bool{
		"qmail:x:46001:joe\n":              true,
		"qmail:x:46001:ann,joe,bob":        true,
		"mail:!:46001:joe:":                true, // a second name of the group
		"qmail:x:46001:\n":                 false,
		"qmail:x:46001:joey,ajoe,Joe, joe": false,
		"qmail:x:46002:joe\n":              false,
		"qmail:x:046001x:joe\n":            false,
		"joe:x:46001\n":                    false,
		"":                                 false,
	} {
		if got := names(line, 46001, "joe"); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
	if member, err := IsMember(1<<32-2, 0); member || err != nil {
		t.Errorf("a user who does not exist: %v, %v", member, err)
	}
}

// FuzzEachIn: whatever is in a password file, an account has a name without a colon, and a
// line is no longer than that of one.
func FuzzEachIn(f *testing.F) {
	for _, text := range []string{"joe:x:1:2::/home:/bin/sh\n", "joe:x:-1:2::/:\n", "::::::\n", "a:b:4294967296:1:::", "qmail:x:1:joe,ann\n"} {
		f.Add(text, "joe")
	}
	f.Fuzz(func(t *testing.T, text, member string) {
		EachIn(strings.NewReader(text), func(line string) bool {
			if u, ok := ParseUser(line); ok && (u.Name == "" || strings.ContainsAny(u.Name+u.Home+u.Shell, ":\n")) {
				t.Errorf("%q: %+v", line, u)
			}
			if names(line, 1, member) && (len(line) > 16<<10 || strings.ContainsAny(member, ",:")) {
				t.Errorf("%q has %q", line, member)
			}
			return false
		})
	})
}
