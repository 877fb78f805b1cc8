package rcpthosts

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/host/control"
	"goqmail/internal/mail/fold"
)

type finder map[string]bool

func (f finder) Find(host string) ([]byte, bool, error) {
	if host == "broken.test" {
		return nil, false, errors.New("broken")
	}
	return nil, f[host], nil
}

func TestAllows(t *testing.T) {
	l := New([]string{"a.test", ".B.test", "  d.test"}, finder{"more.test": true, ".sub.test": true})
	for address, want := range map[string]bool{
		"u@a.test": true, "u@A.TEST": true, "u@x.a.test": false, "u@xa.test": false, "u@a.test.": false,
		"u@b.test": false, "u@x.b.test": true, "u@x.y.B.test": true, "u@.b.test": true, "u@d.test": false,
		"u@more.test": true, "u@MORE.test": true, "u@x.more.test": false, "u@x.sub.test": true, "u@sub.test": false,
		"postmaster": true, "": true, "u@": false, "@": false, "u@.": false, "u@..": false,
		"u@other@a.test": true, "u@a.test@other": false, "u@[192.0.2.1]": false,
	} {
		if got, err := l.Allows(address); got != want || err != nil {
			t.Errorf("%q: %v, %v", address, got, err)
		}
	}
	if _, err := l.Allows("u@x.broken.test"); err != nil {
		t.Error(err)
	}
	if _, err := l.Allows("u@broken.test"); err == nil {
		t.Error("no error from a broken database")
	}
}

func TestRead(t *testing.T) {
	home := t.TempDir()
	os.Mkdir(filepath.Join(home, "control"), 0o755)
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(home, "control", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string, openRelay, allowed bool) {
		t.Helper()
		l, err := Read(control.In(home))
		if err != nil {
			t.Fatal(what, err)
		}
		defer l.Close()
		if got, _ := l.Allows("u@a.test"); got != allowed || l.OpenRelay() != openRelay {
			t.Errorf("%s: %v, %v", what, got, l.OpenRelay())
		}
	}
	check("no files", true, true)
	write("morercpthosts.cdb", "")
	check("a database alone", true, true)
	write("rcpthosts", "")
	os.Remove(filepath.Join(home, "control/morercpthosts.cdb"))
	check("an empty list", false, false)
	write("rcpthosts", "a.test\n")
	check("a list", false, true)
	os.Mkdir(filepath.Join(home, "control/morercpthosts.cdb"), 0o755)
	os.Remove(filepath.Join(home, "control/rcpthosts"))
	os.Mkdir(filepath.Join(home, "control/rcpthosts"), 0o755)
	if _, err := Read(control.In(home)); err == nil {
		t.Error("a directory was read as a list")
	}
}

// allows is the rule in other words.
func allows(entries []string, address string) bool {
	i := strings.LastIndex(address, "@")
	if i < 0 {
		return true
	}
	host := strings.ToLower(address[i+1:])
	for _, e := range entries {
		if e != "" && (host == e || e[0] == '.' && strings.HasSuffix(host, e)) {
			return true
		}
	}
	return false
}

func FuzzAllows(f *testing.F) {
	f.Add("a.test\n.b.test", "u@x.b.test")
	f.Add(".", "u@..")
	f.Add("..x", "@y..x")
	f.Fuzz(func(t *testing.T, list, address string) {
		for _, c := range []byte(list + address) {
			if c >= 0x80 {
				return // the model would fold other letters, too
			}
		}
		entries := strings.Split(fold.Lower(list), "\n")
		inDatabase := finder{}
		for _, e := range entries {
			inDatabase[e] = e != "" && e != "broken.test"
		}
		want := allows(entries, address)
		if got, err := New(entries, nil).Allows(address); got != want || err != nil {
			t.Errorf("list %q, %q: %v, %v", entries, address, got, err)
		}
		if got, err := New(nil, inDatabase).Allows(address); err == nil && got != want {
			t.Errorf("database %q, %q: %v", entries, address, got)
		}
	})
}
