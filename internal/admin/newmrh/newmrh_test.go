package newmrh

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"goqmail/internal/host/cdb"
	"goqmail/internal/mail/fold"
)

func installation(t *testing.T, hosts string) string {
	t.Helper()
	home := t.TempDir()
	for _, err := range []error{
		os.Mkdir(home+"/control", 0o755),
		os.WriteFile(home+"/control/morercpthosts", []byte(hosts), 0o644),
		os.WriteFile(home+"/control/morercpthosts.cdb", []byte("old"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return home
}

func TestUpdate(t *testing.T) {
	for _, c := range []struct {
		name, hosts string
		has, lacks  []string
	}{
		{"hosts", "A.test\n.b.Test \t\n# c\n\n#d\n  \n e.test\nf#g", []string{"a.test", ".b.test", " e.test", "f#g"}, []string{"", "c", "# c", "#d", "A.test"}},
		{"none", "", nil, []string{""}},
		{"no newline at the end", "a.test", []string{"a.test"}, nil},
	} {
		home := installation(t, c.hosts)
		if err := Update(home); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		db, err := cdb.Open(home + "/control/morercpthosts.cdb")
		if err != nil {
			t.Fatal(err)
		}
		for _, host := range append(c.has, c.lacks...) {
			want := len(c.has) > 0
			if c.has = c.has[min(1, len(c.has)):]; host == "" {
				want = false
			}
			if data, found, err := db.Find(host); found != want || len(data) != 0 || err != nil {
				t.Errorf("%s: %q: %v, %q, %v", c.name, host, found, data, err)
			}
		}
		db.Close()
		if _, err := os.Stat(home + "/control/morercpthosts.tmp"); err == nil {
			t.Errorf("%s: the temporary file is left", c.name)
		}
	}
}

// TestTrouble: the old database stays, and the message says what is wrong.
func TestTrouble(t *testing.T) {
	for _, c := range []struct {
		name  string
		hosts string
		spoil func(home string) error
		want  string
	}{
		{"no morercpthosts", "", func(home string) error { return os.Remove(home + "/control/morercpthosts") }, "unable to read control/morercpthosts: file does not exist"},
		{"it is a directory", "", func(home string) error {
			os.Remove(home + "/control/morercpthosts")
			return os.Mkdir(home+"/control/morercpthosts", 0o755)
		}, "unable to read control/morercpthosts: is a directory"},
		{"a line of a megabyte", strings.Repeat("x", 1<<20), func(string) error { return nil }, "unable to read control/morercpthosts: a line of more than 65536 bytes"},
		{"no temporary file", "a\n", func(home string) error { return os.Mkdir(home+"/control/morercpthosts.tmp", 0o755) }, "unable to write to control/morercpthosts.tmp: is a directory"},
		{"disk full", "a\n", func(home string) error { return os.Symlink("/dev/full", home+"/control/morercpthosts.tmp") }, "unable to write to control/morercpthosts.tmp: out of disk space"},
		{"it cannot be moved", "a\n", func(home string) error {
			os.Remove(home + "/control/morercpthosts.cdb")
			return os.MkdirAll(home+"/control/morercpthosts.cdb/x", 0o755)
		}, "unable to move control/morercpthosts.tmp to control/morercpthosts.cdb: "},
	} {
		home := installation(t, c.hosts)
		if err := c.spoil(home); err != nil {
			t.Fatal(err)
		}
		if err := Update(home); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
		if info, err := os.Stat(home + "/control/morercpthosts.cdb"); err != nil || !info.IsDir() && info.Size() != 3 {
			t.Errorf("%s: the old database is gone", c.name)
		}
	}
}

// FuzzUpdate: each host of the file is found in the database, whatever else is in it.
func FuzzUpdate(f *testing.F) {
	for _, text := range []string{"", "a\n", "A.B \t\n#c\n\n", ".d", "\x00\n\r\n"} {
		f.Add(text)
	}
	home := f.TempDir()
	if err := os.Mkdir(home+"/control", 0o755); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(home+"/control/morercpthosts", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := Update(home); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(home + "/control/morercpthosts.cdb")
		if err != nil {
			t.Fatal(err)
		}
		r := cdb.NewReader(bytes.NewReader(data), int64(len(data)))
		for line := range strings.SplitSeq(text, "\n") {
			host := fold.Lower(strings.TrimRight(line, " \t"))
			if host == "" || host[0] == '#' {
				continue
			}
			if _, found, err := r.Find(host); err != nil || !found {
				t.Errorf("%q: %v, %v", host, found, err)
			}
		}
	})
}
