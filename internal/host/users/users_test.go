package users

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/host/cdb"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       Assignment
		ok         bool
	}{
		{"an extension", "joe\x00503\x0078\x00/home/joe\x00-\x00list\x00", Assignment{"joe", 503, 78, "/home/joe", "-", "list"}, true},
		{"none", "joe\x00503\x0078\x00/home/joe\x00\x00\x00", Assignment{"joe", 503, 78, "/home/joe", "", ""}, true},
		{"empty user and home", "\x00503\x0078\x00\x00\x00\x00", Assignment{"", 503, 78, "", "", ""}, true},
		{"root is not for the parser to refuse", "root\x000\x000\x00/\x00\x00\x00", Assignment{"root", 0, 0, "/", "", ""}, true},
		{"the largest numbers", "a\x004294967294\x004294967294\x00/\x00\x00\x00", Assignment{"a", 1<<32 - 2, 1<<32 - 2, "/", "", ""}, true},
		{"more than six fields", "a\x001\x002\x00/\x00\x00\x00more\x00", Assignment{"a", 1, 2, "/", "", ""}, true},
		{"nothing", "", Assignment{}, false},
		{"the last NUL is missing", "joe\x00503\x0078\x00/home/joe\x00-\x00list", Assignment{}, false},
		{"five fields", "joe\x00503\x0078\x00/home/joe\x00-\x00", Assignment{}, false},
		{"no user number", "joe\x00\x0078\x00/\x00\x00\x00", Assignment{}, false},
		{"text behind the number", "joe\x00503x\x0078\x00/\x00\x00\x00", Assignment{}, false},
		{"a negative number", "joe\x00-2\x0078\x00/\x00\x00\x00", Assignment{}, false},
		{"a sign", "joe\x00+5\x0078\x00/\x00\x00\x00", Assignment{}, false},
		{"user -1", "joe\x004294967295\x0078\x00/\x00\x00\x00", Assignment{}, false},
		{"group -1", "joe\x005\x004294967295\x00/\x00\x00\x00", Assignment{}, false},
		{"more than 32 bits", "joe\x004294967296\x0078\x00/\x00\x00\x00", Assignment{}, false},
	} {
		got, err := Parse(c.text)
		if got != c.want || (err == nil) != c.ok || (err != nil && !errors.Is(err, ErrFormat)) {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
}

// write makes a users/cdb of the text of a users/assign.
func write(t testing.TB, path, assign string) {
	t.Helper()
	err := cdb.Replace(path, path+".tmp", func(w *cdb.Writer) error { return Compile(strings.NewReader(assign), w) })
	if err != nil {
		t.Fatal(err)
	}
}

func TestLookup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cdb")
	write(t, path, strings.Join([]string{
		"=simple:su:1:2:/simple:::",
		"=MiXed:mu:3:4:/mixed:d:e:text behind",
		"+wild-:wu:5:6:/wild:-::",
		"+wild-longer-:wl:7:8:/longer:-:pre-:",
		"=wild-exact:we:9:10:/exact:::",
		"+BIG:bu:11:12:/big:-::",
		"=twice:one:13:14:/one:::",
		"=twice:two:15:16:/two:::",
		"=number:x:1x:2:/:::",
		"#odd:od:17:18:/odd:::",
		".", "not read"}, "\n"))
	table := NewTable(path)
	defer table.Close()
	for _, c := range []struct {
		local string
		want  Assignment
	}{
		{"simple", Assignment{"su", 1, 2, "/simple", "", ""}},
		{"SimPle", Assignment{"su", 1, 2, "/simple", "", ""}},
		{"mixed", Assignment{"mu", 3, 4, "/mixed", "d", "e"}},
		{"wild-", Assignment{"wu", 5, 6, "/wild", "-", ""}},
		{"wild-FoO", Assignment{"wu", 5, 6, "/wild", "-", "FoO"}},
		{"wild-longer", Assignment{"wu", 5, 6, "/wild", "-", "longer"}},
		{"Wild-Longer-X-y", Assignment{"wl", 7, 8, "/longer", "-", "pre-X-y"}},
		{"wild-exact", Assignment{"we", 9, 10, "/exact", "", ""}},
		{"wild-exactly", Assignment{"wu", 5, 6, "/wild", "-", "exactly"}},
		{"bigger", Assignment{"bu", 11, 12, "/big", "-", "ger"}},
		{"twice", Assignment{"one", 13, 14, "/one", "", ""}},
		{"odd", Assignment{"od", 17, 18, "/odd", "", ""}},
	} {
		if got, found, err := table.Lookup(c.local); got != c.want || !found || err != nil {
			t.Errorf("%s: %+v, %v, %v", c.local, got, found, err)
		}
	}
	for _, local := range []string{"", "simple-x", "wild", "other", "!wild-", "wil"} {
		if got, found, err := table.Lookup(local); found || err != nil {
			t.Errorf("%s: %+v, %v", local, got, err)
		}
	}
	if _, found, err := table.Lookup("number"); found || !errors.Is(err, ErrFormat) {
		t.Errorf("a user number that is none: %v, %v", found, err)
	}
}

// TestTableChanges: each search sees the file as it is.
func TestTableChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cdb")
	table := NewTable(path)
	defer table.Close()
	for _, c := range []struct {
		name   string
		change func()
		want   string // the user, "" for none, "error"
	}{
		{"no file", func() {}, ""},
		{"one is made", func() { write(t, path, "+:one:1:1:/:::\n.\n") }, "one"},
		{"not changed", func() {}, "one"},
		{"replaced by one of the same size", func() { write(t, path, "+:two:1:1:/:::\n.\n") }, "two"},
		{"overwritten with garbage", func() { os.WriteFile(path, []byte("short"), 0o644) }, "error"},
		{"not changed", func() {}, "error"},
		{"empty", func() { os.WriteFile(path, nil, 0o644) }, "error"},
		{"a cdb of something else", func() {
			cdb.Replace(path, path+".tmp", func(w *cdb.Writer) error { return w.Add("x", nil) })
		}, "error"},
		{"removed", func() { os.Remove(path) }, ""},
		{"a directory", func() { os.Mkdir(path, 0o755) }, "error"},
		{"larger than is kept", func() {
			os.Remove(path)
			write(t, path, strings.Repeat("=x:"+strings.Repeat("y", 1000)+":1:1:/:::\n", maxKept/1000)+"+a:three:1:1:/:::\n.\n")
		}, "three"},
		{"small again", func() { write(t, path, "+:four:1:1:/:::\n.\n") }, "four"},
	} {
		c.change()
		a, found, err := table.Lookup("abc")
		got := a.User
		if err != nil {
			got = "error"
		}
		if got != c.want || found != (a.User != "") {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}

// TestCompileRefuses: a malformed file makes no table.
func TestCompileRefuses(t *testing.T) {
	const good = "=joe:joe:503:78:/home/joe:::\n"
	for name, assign := range map[string]string{
		"empty":            "",
		"no dot":           good,
		"unfinished line":  good + "=ann:ann:5:6:/:::",
		"no colon":         "nonsense\n.\n",
		"colon first":      ":joe:503:78:/home/joe:::\n.\n",
		"too few fields":   "=joe:joe:503:78:/home/joe::\n.\n",
		"blank line":       good + "\n.\n",
		"NUL":              "=j\x00e:joe:503:78:/home/joe:::\n.\n",
		"NUL at the end":   "=joe:joe:503:78:/home/joe:::\x00\n.\n",
		"line is too long": "=" + strings.Repeat("x", MaxLine) + ":joe:503:78:/home/joe:::\n.\n",
	} {
		path := filepath.Join(t.TempDir(), "cdb")
		err := cdb.Replace(path, path+".tmp", func(w *cdb.Writer) error { return Compile(strings.NewReader(assign), w) })
		if !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: a table was made", name)
		}
	}
}

// FuzzAssign: what Compile takes, Lookup finds by each line's own address, unless
// an earlier line has it.
func FuzzAssign(f *testing.F) {
	f.Add("=joe.Shmoe:joe:503:78:/home/joe:::\n+joe-:joe:503:78:/home/joe:-:pre:\n+:alias:7790:2108:/var/alias:-::\n.\n")
	f.Add("=a:b:1:2:/:::\n=A:c:1:2:/:::\n+B:c:1:2:/:::x\n.end")
	f.Fuzz(func(t *testing.T, assign string) {
		path := filepath.Join(t.TempDir(), "cdb")
		err := cdb.Replace(path, path+".tmp", func(w *cdb.Writer) error { return Compile(strings.NewReader(assign), w) })
		if err != nil {
			return
		}
		table := NewTable(path)
		defer table.Close()
		for line := range strings.Lines(assign) {
			if line[0] == '.' {
				break
			}
			_, local, _, _ := splitLine(line)
			if _, found, err := table.Lookup(local); !found && err == nil {
				t.Errorf("%q is not found by %q", line, local)
			}
		}
	})
}

// FuzzTable: no file makes a search do worse than fail.
func FuzzTable(f *testing.F) {
	path := filepath.Join(f.TempDir(), "cdb")
	write(f, path, "=joe:joe:1:2:/:::\n+ann-:ann:3:4:/:-::\n.\n")
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, "joe")
	f.Add(good, "ann-x")
	f.Fuzz(func(t *testing.T, file []byte, local string) {
		db := cdb.NewReader(bytes.NewReader(file), int64(len(file)))
		wild, found, err := db.Find("")
		if err != nil || !found {
			return
		}
		if a, found, err := find(db, wild, local); found && (err != nil || a.UID == 1<<32-1) {
			t.Errorf("%+v, %v", a, err)
		}
	})
}

// FuzzParse: what is read is what was written.
func FuzzParse(f *testing.F) {
	f.Add("joe\x00503\x0078\x00/home/joe\x00-\x00list\x00")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := Parse(text)
		if err != nil {
			return
		}
		if b, err := Parse(string(a.Append(nil))); err != nil || b != a {
			t.Errorf("%+v is read as %+v, %v", a, b, err)
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	path := filepath.Join(b.TempDir(), "cdb")
	write(b, path, "=joe:joe:1:2:/:::\n+ann-:ann:3:4:/:-::\n.\n")
	table := NewTable(path)
	defer table.Close()
	for b.Loop() {
		if _, found, err := table.Lookup("ann-someone"); !found || err != nil {
			b.Fatal(err)
		}
	}
}
