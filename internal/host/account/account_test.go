package account

import "testing"

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
