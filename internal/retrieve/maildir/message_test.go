package maildir

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// opened makes a maildir of one message, in new, and lists it.
func opened(t *testing.T) (dir string, d *Dir, m *Message) {
	t.Helper()
	dir = newMaildir(t)
	file(t, dir+"/new/a", "text", time.Minute)
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	messages, err := d.Scan(now, New, Cur)
	if len(messages) != 1 || err != nil {
		t.Fatal(messages, err)
	}
	return dir, d, &messages[0]
}

func TestRead(t *testing.T) {
	_, d, m := opened(t)
	f, err := d.Read(m)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if text, err := io.ReadAll(f); string(text) != "text" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

// replacements are what may have the name of a message by the time that it is read
// or removed.
var replacements = map[string]struct {
	make   func(path string) error
	read   error
	remove error
}{
	"nothing":   {func(path string) error { return nil }, unix.ENOENT, unix.ENOENT},
	"fifo":      {func(path string) error { return unix.Mkfifo(path, 0o600) }, ErrReplaced, ErrReplaced},
	"link":      {func(path string) error { return os.Symlink("/etc/passwd", path) }, unix.ELOOP, ErrReplaced},
	"directory": {func(path string) error { return os.Mkdir(path, 0o700) }, ErrReplaced, ErrReplaced},
	"message":   {func(path string) error { return os.WriteFile(path, []byte("another"), 0o600) }, nil, ErrReplaced},
}

func TestReplaced(t *testing.T) {
	for name, r := range replacements {
		dir, d, m := opened(t)
		path := dir + "/new/a"
		if err := errors.Join(os.Remove(path), r.make(path)); err != nil {
			t.Fatal(err)
		}
		f, err := d.Read(m)
		if !errors.Is(err, r.read) {
			t.Errorf("%s: read: %v, want %v", name, err, r.read)
		}
		if err == nil {
			f.Close()
		}
		if err := d.Remove(m); !errors.Is(err, r.remove) {
			t.Errorf("%s: remove: %v, want %v", name, err, r.remove)
		}
		if _, err := os.Lstat(path); (err == nil) == (name == "nothing") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRemove(t *testing.T) {
	dir, d, m := opened(t)
	if err := d.Remove(m); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(dir + "/new/a"); !os.IsNotExist(err) {
		t.Error(err)
	}
}

func TestNotice(t *testing.T) {
	for how, notice := range map[string]func(*Dir, *Message) error{
		"rename": (*Dir).Notice,
		"link":   func(d *Dir, m *Message) error { return d.noticeByLink(m.Name, "cur/a:2,") },
	} {
		dir, d, m := opened(t)
		file(t, dir+"/cur/a:2,", "old", time.Minute)
		if err := notice(d, m); err != unix.EEXIST {
			t.Errorf("%s: %v", how, err)
		}
		if text, err := os.ReadFile(dir + "/cur/a:2,"); string(text) != "old" {
			t.Errorf("%s: %q, %v", how, text, err)
		}
		os.Remove(dir + "/cur/a:2,")
		if err := notice(d, m); err != nil {
			t.Errorf("%s: %v", how, err)
		}
		if err := notice(d, m); err != unix.ENOENT {
			t.Errorf("%s: %v", how, err)
		}
		messages, err := d.Scan(now, New, Cur)
		if names(messages) != "cur/a:2," || err != nil {
			t.Errorf("%s: %s, %v", how, names(messages), err)
		}
		if err := d.Notice(&messages[0]); err != nil {
			t.Errorf("%s: %v", how, err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	for path, want := range map[string]error{
		"": unix.ENOENT, "/nonexistent": unix.ENOENT, os.DevNull: unix.ENOTDIR, "a\x00b": unix.EINVAL,
	} {
		if _, err := Open(path); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", path, err, want)
		}
	}
	if _, err := Scan("/nonexistent", now, New); !errors.Is(err, unix.ENOENT) {
		t.Error(err)
	}
}
