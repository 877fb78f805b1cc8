package maildir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var now = time.Date(2026, 11, 24, 14, 5, 0, 500, time.UTC)

// file makes a file whose times lie some time back.
func file(t *testing.T, path, text string, age time.Duration) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
		t.Fatal(err)
	}
}

func newMaildir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"tmp", "new", "cur"} {
		os.Mkdir(dir+"/"+sub, 0o700)
	}
	return dir
}

func names(messages []Message) string {
	var names []string
	for _, m := range messages {
		names = append(names, m.Name)
	}
	return strings.Join(names, " ")
}

func TestScan(t *testing.T) {
	dir := newMaildir(t)
	file(t, dir+"/new/b", "12345", time.Minute)
	file(t, dir+"/new/a", "", time.Minute)
	file(t, dir+"/new/z", "", 3*time.Minute)
	file(t, dir+"/cur/c:2,S", "", 2*time.Minute)
	file(t, dir+"/new/.hidden", "", time.Minute)
	file(t, dir+"/new/this-second", "", 0)
	file(t, dir+"/new/soon", "", -time.Minute) // the clock of a file server
	file(t, dir+"/new/tomorrow", "", -24*time.Hour)
	file(t, dir+"/tmp/t", "", time.Minute)
	os.Mkdir(dir+"/new/directory", 0o700)
	unix.Mkfifo(dir+"/new/pipe", 0o600)
	os.Symlink("nothing", dir+"/new/dangling")
	os.Symlink("b", dir+"/new/link")
	for _, c := range []struct {
		directories []string
		want        string
	}{
		{[]string{New, Cur}, "new/z cur/c:2,S new/a new/b new/tomorrow"},
		{[]string{New}, "new/z new/a new/b new/tomorrow"},
		{nil, ""},
	} {
		messages, err := Scan(dir, now, c.directories...)
		if names(messages) != c.want || err != nil {
			t.Errorf("%v: %s %v", c.directories, names(messages), err)
		}
	}
	messages, _ := Scan(dir, now, New)
	if m := messages[2]; m.Size != 5 || !m.Delivered.Equal(now.Add(-time.Minute)) {
		t.Errorf("%+v", m)
	}
}

// TestScanMany: more files than are read at once.
func TestScanMany(t *testing.T) {
	dir := newMaildir(t)
	for i := range 2500 {
		file(t, dir+"/new/"+time.Duration(i).String(), "", time.Duration(i+1)*time.Second)
	}
	messages, err := Scan(dir, now, New, Cur)
	if len(messages) != 2500 || err != nil {
		t.Errorf("%d %v", len(messages), err)
	}
}

func TestScanErrors(t *testing.T) {
	for _, c := range []struct {
		path string
		prep func(dir string) error
		want error
	}{
		{"new", func(dir string) error { return os.Remove(dir + "/new") }, unix.ENOENT},
		{"cur", func(dir string) error { os.Remove(dir + "/cur"); return os.WriteFile(dir+"/cur", nil, 0o600) }, unix.ENOTDIR},
		{"cur", func(dir string) error { os.Remove(dir + "/cur"); return os.Symlink("cur", dir+"/cur") }, unix.ELOOP},
	} {
		dir := newMaildir(t)
		if err := c.prep(dir); err != nil {
			t.Fatal(err)
		}
		_, err := Scan(dir, now, New, Cur)
		var path *fs.PathError
		if !errors.As(err, &path) || path.Path != c.path || !errors.Is(err, c.want) {
			t.Errorf("%v, want %s %v", err, c.path, c.want)
		}
	}
}

func TestClean(t *testing.T) {
	dir := newMaildir(t)
	file(t, dir+"/tmp/old", "", Remnant+time.Second)
	file(t, dir+"/tmp/young", "", Remnant-time.Second)
	file(t, dir+"/tmp/.hidden", "", 2*Remnant)
	file(t, dir+"/new/old", "", 2*Remnant)
	os.Mkdir(dir+"/tmp/directory", 0o700)
	os.Chtimes(dir+"/tmp/directory", now.Add(-2*Remnant), now.Add(-2*Remnant))
	Clean(dir, now)
	left, _ := filepath.Glob(dir + "/*/*")
	var got []string
	for _, path := range left {
		got = append(got, strings.TrimPrefix(path, dir+"/"))
	}
	if want := "new/old tmp/.hidden tmp/directory tmp/young"; strings.Join(got, " ") != want {
		t.Errorf("left %v, want %s", got, want)
	}
	Clean(dir+"/none", now) // nothing to do, and nobody to tell
}
