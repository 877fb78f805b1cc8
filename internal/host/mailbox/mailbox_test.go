package mailbox

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is for locks that are free, or soon will be.
const patience = time.Minute

// TestStrangeFiles: nothing but a regular file is a mailbox, and nothing hangs.
func TestStrangeFiles(t *testing.T) {
	dir := t.TempDir()
	os.Mkdir(dir+"/dir", 0o700)
	unix.Mkfifo(dir+"/pipe", 0o600)
	unix.Mkfifo(dir+"/read", 0o600)
	reader, err := os.OpenFile(dir+"/read", os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	os.Symlink("loop", dir+"/loop")
	for _, c := range []struct {
		path string
		want error // nil for any
	}{
		{dir + "/none/Mailbox", unix.ENOENT},
		{dir + "/dir", unix.EISDIR},
		{dir + "/pipe", unix.ENXIO},
		{dir + "/read", nil},
		{dir + "/loop", unix.ELOOP},
		{"/dev/null", nil},
		{dir + "/" + strings.Repeat("a", 300), unix.ENAMETOOLONG},
	} {
		f, err := Open(c.path)
		if err == nil {
			f.Close()
		}
		var path *fs.PathError
		if !errors.As(err, &path) || path.Op != "open" || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.path, err, c.want)
		}
	}
}

func TestLock(t *testing.T) {
	path := t.TempDir() + "/Mailbox"
	holder, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	if err := unix.Flock(int(holder.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Lock(time.Millisecond); !errors.Is(err, ErrLocked) {
		t.Errorf("locked by somebody else: %v", err)
	}
	f.Close()
	if f, err = Open(path); err != nil {
		t.Fatal(err)
	}
	waited := make(chan error)
	go func() { waited <- f.Lock(patience) }()
	unix.Flock(int(holder.Fd()), unix.LOCK_UN)
	if err := <-waited; err != nil || !f.Locked {
		t.Errorf("unlocked again: %v", err)
	}
	if err := unix.Flock(int(holder.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != unix.EWOULDBLOCK {
		t.Errorf("not locked by us: %v", err)
	}
	f.Close()
	if err := unix.Flock(int(holder.Fd()), unix.LOCK_EX); err != nil {
		t.Errorf("still locked: %v", err)
	}
}

// TestReplaced: the lock of a file that the path no longer names is none, however
// often that happens.
func TestReplaced(t *testing.T) {
	path := t.TempDir() + "/Mailbox"
	for _, c := range []struct {
		name    string
		replace func() error
	}{
		{"by a new file", func() error {
			os.WriteFile(path+".tmp", nil, 0o600)
			return os.Rename(path+".tmp", path)
		}},
		{"by nothing", func() error { return os.Remove(path) }},
		{"by a pipe", func() error { os.Remove(path); return unix.Mkfifo(path, 0o600) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			os.Remove(path)
			f, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := c.replace(); err != nil {
				t.Fatal(err)
			}
			err = f.Lock(patience)
			info, _ := os.Stat(path)
			if !info.Mode().IsRegular() {
				if err == nil {
					t.Error("locked")
				}
				return
			}
			open, statErr := f.Stat()
			if err != nil || statErr != nil || !f.Locked || !os.SameFile(info, open) {
				t.Errorf("%v %v", err, statErr)
			}
		})
	}
}
