package newu

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/host/users"
)

const assign = "=joe:joe:503:78:/home/joe:::\n.\n"

// installation makes a home with a users/assign, and a users/cdb that is old.
func installation(t *testing.T, assign string) string {
	t.Helper()
	home := t.TempDir()
	for _, err := range []error{
		os.Mkdir(home+"/users", 0o755),
		os.WriteFile(home+"/users/assign", []byte(assign), 0o644),
		os.WriteFile(home+"/users/cdb", []byte("old"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return home
}

func TestUpdate(t *testing.T) {
	home := installation(t, assign)
	if err := Update(home); err != nil {
		t.Fatal(err)
	}
	table := users.NewTable(home + "/users/cdb")
	defer table.Close()
	if a, found, err := table.Lookup("joe"); a.UID != 503 || !found || err != nil {
		t.Errorf("%+v, %v, %v", a, found, err)
	}
	if _, err := os.Stat(home + "/users/cdb.tmp"); err == nil {
		t.Error("users/cdb.tmp is left")
	}
}

// TestTrouble: the old table stays, and the message says what is wrong.
func TestTrouble(t *testing.T) {
	for _, c := range []struct {
		name, assign string
		spoil        func(home string) error
		want         string
	}{
		{"no dot", strings.TrimSuffix(assign, ".\n"), nil, "bad format in users/assign"},
		{"empty", "", nil, "bad format in users/assign"},
		{"binary", "\x00\xff\x01:::::::\n.\n", nil, "bad format in users/assign"},
		{"a line of a megabyte", "=" + strings.Repeat("x", 1<<20) + "\n.\n", nil, "bad format in users/assign"},
		{"no users/assign", assign, func(home string) error { return os.Remove(home + "/users/assign") }, "unable to open users/assign"},
		{"users/assign is a directory", assign, func(home string) error {
			os.Remove(home + "/users/assign")
			return os.Mkdir(home+"/users/assign", 0o755)
		}, "unable to read users/assign"},
		{"users/cdb.tmp cannot be made", assign, func(home string) error { return os.Mkdir(home+"/users/cdb.tmp", 0o755) }, "unable to open users/cdb.tmp"},
		{"users/cdb.tmp cannot be written", assign, func(home string) error { return os.Symlink("/dev/full", home+"/users/cdb.tmp") }, "unable to write users/cdb.tmp"},
		{"users/cdb cannot be replaced", assign, func(home string) error {
			os.Remove(home + "/users/cdb")
			return os.MkdirAll(home+"/users/cdb/x", 0o755)
		}, "unable to move users/cdb.tmp to users/cdb"},
	} {
		home := installation(t, c.assign)
		if c.spoil != nil {
			if err := c.spoil(home); err != nil {
				t.Fatal(err)
			}
		}
		if err := Update(home); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
		if info, err := os.Stat(filepath.Join(home, "users/cdb")); err != nil || !info.IsDir() && info.Size() != 3 {
			t.Errorf("%s: the old table is gone", c.name)
		}
	}
	if err := Update("/nonexistent"); err == nil || err.Error() != "unable to chdir" {
		t.Errorf("no home: %v", err)
	}
}
