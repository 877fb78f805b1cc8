package showctl

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goqmail/internal/mail/outcome"
)

func home(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "control"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(dir, "control", name)
		if text == "DIRECTORY" {
			os.Mkdir(path, 0o755)
		} else if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func show(t testing.TB, dir string) (string, error) {
	t.Helper()
	var b strings.Builder
	err := Show(dir, &b)
	return b.String(), err
}

// section is what is said about a file, without its name.
func section(out, name string) string {
	_, s, _ := strings.Cut(out, "\n\n"+name+": ")
	s, _, _ = strings.Cut(s+"\n", "\n\n")
	return s
}

func TestSettings(t *testing.T) {
	for _, c := range []struct{ file, text, want string }{
		{"bouncefrom", "", "Bounce user name is ."},
		{"bouncefrom", "x\ny\n", "Bounce user name is x."},
		{"bouncehost", "ABSENT", "(Default.) Bounce host name is mx.test."},
		{"concurrencylocal", "12ab\n", "Local concurrency is 12."},
		{"concurrencylocal", "ab\n", "(Default.) Local concurrency is 10."},
		{"databytes", "99999999999\n", "SMTP DATA limit is 99999999999 bytes."},
		{"databytes", "DIRECTORY", "Oops! Trouble reading this file."},
		{"maxrcpt", "ABSENT", "(Default.) SMTP RCPT limit is 0 recipients."},
		{"locals", "ABSENT", "(Default.) Messages for me are delivered locally."},
		{"locals", "a\n#b\n\nc \n", "\nMessages for a are delivered locally.\nMessages for c are delivered locally."},
		{"locals", "", ""},
		{"locals", "DIRECTORY", "Oops! Trouble reading this file."},
		{"locals", "a\x1b[31m\xe4\n", "\nMessages for a?[31m? are delivered locally."},
		{"smtproutes", ":x\n", "\nSMTP route: :x"},
		{"rcpthosts", "ABSENT", "(Default.) SMTP clients may send messages to any recipient."},
		{"morercpthosts", "a\n", "\nNo rcpthosts; doesn't matter that morercpthosts has a."},
		{"morercpthosts.cdb", "a\n", "Oops! morercpthosts.cdb exists but morercpthosts doesn't."},
		{"spawnlimit", "500\n", "A spawner runs at most 500 deliveries at once."},
		{"residence", "ABSENT", "\n"},
		{"recpthosts", "a\n", "I have no idea what this file does."},
	} {
		files := map[string]string{"me": "mx.test\n"}
		if c.text != "ABSENT" {
			files[c.file] = c.text
		}
		out, err := show(t, home(t, files))
		if got := section(out, c.file); got != c.want || err != nil {
			t.Errorf("%s %q: %q, %v, want %q", c.file, c.text, got, err, c.want)
		}
	}
}

func TestAgeOfDatabase(t *testing.T) {
	dir := home(t, map[string]string{"rcpthosts": "", "morercpthosts": "a\n", "morercpthosts.cdb": ""})
	out, _ := show(t, dir)
	if got := section(out, "morercpthosts.cdb"); got != "Modified recently enough; hopefully up to date." {
		t.Error(got)
	}
	old := time.Now().Add(-time.Hour)
	os.Chtimes(filepath.Join(dir, "control/morercpthosts.cdb"), old, old)
	out, _ = show(t, dir)
	if got := section(out, "morercpthosts.cdb"); got != "Oops! morercpthosts.cdb is older than morercpthosts." {
		t.Error(got)
	}
}

func TestNotices(t *testing.T) {
	dir := home(t, map[string]string{"concurrencylocal": "many\n", "locals": ""})
	os.Chmod(filepath.Join(dir, "control/locals"), 0o666)
	out, _ := show(t, dir)
	for _, want := range []string{"There is no me.", "an open relay", "concurrencylocal does not begin with a number", "can write to locals"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	out, _ = show(t, home(t, map[string]string{"me": "x\n", "rcpthosts": ""}))
	if strings.Contains(out, "open relay") {
		t.Error(out)
	}
}

func TestNothingToShow(t *testing.T) {
	empty := t.TempDir()
	for dir, want := range map[string]string{
		"/nonexistent": "Oops! Unable to chdir to /nonexistent.\n",
		empty:          "Oops! Unable to chdir to control.\n",
		home(t, map[string]string{"me": "DIRECTORY"}): "Oops! Trouble reading control/me.\n",
	} {
		out, err := show(t, dir)
		var status *outcome.Status
		if !strings.HasSuffix(out, want) || !errors.As(err, &status) || status.Code != 111 {
			t.Errorf("%q, %v, want %q", out, err, want)
		}
	}
}

func TestEveryFileOnce(t *testing.T) {
	out, _ := show(t, home(t, nil))
	for _, settings := range [][]setting{beforeRcpthosts, {rcpthosts, morercpthosts}, afterRcpthosts} {
		for _, s := range settings {
			if n := strings.Count(out, "\n\n"+s.file+": "); n != 1 || !known(s.file) {
				t.Errorf("%s is told %d times", s.file, n)
			}
		}
	}
	if known("nonsense") {
		t.Error("nonsense is known")
	}
}

// Whatever is in a control file, the output is printable.
func FuzzShow(f *testing.F) {
	f.Add("locals", []byte("a\x1b]0;x\x07\n\xff"))
	f.Add("me", []byte("\x00"))
	f.Add("x\ny", []byte(""))
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		dir := home(t, nil)
		if os.WriteFile(filepath.Join(dir, "control", filepath.Base(name)), text, 0o644) != nil {
			return
		}
		out, _ := show(t, dir)
		for _, c := range []byte(out) {
			if c != '\n' && (c < ' ' || c > '~') {
				t.Fatalf("%q in %q", c, out)
			}
		}
	})
}
