package setup

import "testing"

func TestParseRecord(t *testing.T) {
	const good = "group\tqmail\t\nuser\tqmailq\t\ndirectory\t/var/q mail\t\nfile\t/a\t00\nlock\t/a\t\naside\t/a\t/b\nlink\t/a\t../b\n"
	r, err := parseRecord(good)
	if err != nil || r.String() != good {
		t.Errorf("%v: %s", err, r)
	}
	for _, bad := range []string{
		"\n", "x", "file\t/a", "file\t/a\t", "file\ta\t00", "file\t/a/../b\t00", "other\t/a\t00", "user\t-r\t", "user\t\t", "user\ta b\t",
		"user\ta\tb", "directory\t/a\tb", "directory\t\t", "aside\t/a\tb", "link\t/a\t", "file\t/a\t0\t0", "file\t/a\t00\n\n",
	} {
		if r, err := parseRecord(bad); err == nil {
			t.Errorf("%q: %v", bad, r)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add("group\tqmail\t\nfile\t/a\t00\n")
	f.Add("aside\t/a\t/b\nlink\t/a\tb")
	f.Add("lock\t/a/..\t\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRecord(text)
		if err != nil {
			return
		}
		again, err := parseRecord(r.String())
		if err != nil || again.String() != r.String() {
			t.Errorf("%q: %v, %q", text, err, again)
		}
	})
}
