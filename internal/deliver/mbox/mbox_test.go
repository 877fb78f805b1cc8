package mbox

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sys/unix"
)

// patience is for locks that are free, or soon will be.
const patience = time.Minute

// deliver opens a mailbox, locks it and appends a message.
func deliver(path, from string, message io.Reader) error {
	m, err := Open(path)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.Lock(patience); err != nil {
		return err
	}
	return m.Append(from, message)
}

func TestAppend(t *testing.T) {
	path := t.TempDir() + "/Mailbox"
	for range 2 {
		if err := deliver(path, "From a\n", strings.NewReader("B: c\n\nFrom d")); err != nil {
			t.Fatal(err)
		}
	}
	const one = "From a\nB: c\n\n>From d\n\n"
	if b, _ := os.ReadFile(path); string(b) != one+one {
		t.Errorf("%q", b)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestAppendKeepsMode(t *testing.T) {
	path := t.TempDir() + "/Mailbox"
	os.WriteFile(path, []byte("before\n"), 0o640)
	os.Chmod(path, 0o640)
	if err := deliver(path, "From a\n", strings.NewReader("b\n")); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "before\nFrom a\nb\n\n" {
		t.Errorf("%q", b)
	}
	if info, _ := os.Stat(path); info.Mode() != 0o640 {
		t.Error(info.Mode())
	}
}

// TestRelativeName: the directory of a new mailbox is found and synced.
func TestRelativeName(t *testing.T) {
	t.Chdir(t.TempDir())
	os.Mkdir("real", 0o700)
	os.Symlink("real", "link")
	for _, path := range []string{"Mailbox", "./Mailbox2", "link/../Mailbox3", "link/Mailbox4"} {
		if err := deliver(path, "From a\n", strings.NewReader("b\n")); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestFailureRestores: a mailbox is what it was when a delivery fails.
func TestFailureRestores(t *testing.T) {
	broken := errors.New("broken")
	long := strings.Repeat("0123456789\n", 100000)
	t.Run("reading", func(t *testing.T) {
		for _, before := range []string{"", "old mail\n"} {
			path := t.TempDir() + "/Mailbox"
			os.WriteFile(path, []byte(before), 0o600)
			err := deliver(path, "From a\n", io.MultiReader(strings.NewReader(long), iotest.ErrReader(broken)))
			if !errors.Is(err, broken) {
				t.Error(err)
			}
			if b, _ := os.ReadFile(path); string(b) != before {
				t.Errorf("%d bytes", len(b))
			}
		}
	})
	t.Run("writing", func(t *testing.T) {
		path := t.TempDir() + "/Mailbox"
		os.WriteFile(path, []byte("old mail\n"), 0o600)
		limitFileSize(t, 200000)
		if err := deliver(path, "From a\n", strings.NewReader(long)); !errors.Is(err, unix.EFBIG) {
			t.Error(err)
		}
		if b, _ := os.ReadFile(path); string(b) != "old mail\n" {
			t.Errorf("%d bytes", len(b))
		}
	})
}

// limitFileSize lets no file grow beyond a size during a test.
func limitFileSize(t *testing.T, size uint64) {
	t.Helper()
	signal.Ignore(unix.SIGXFSZ)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.Setrlimit(unix.RLIMIT_FSIZE, &old)
		signal.Reset(unix.SIGXFSZ)
	})
}

func TestLinkToNewMailbox(t *testing.T) {
	dir := t.TempDir()
	os.Symlink("target", dir+"/dangling")
	if err := deliver(dir+"/dangling", "From a\n", strings.NewReader("b\n")); err != nil {
		t.Error(err)
	}
	if b, _ := os.ReadFile(dir + "/target"); string(b) != "From a\nb\n\n" {
		t.Errorf("%q", b)
	}
}

// TestReplaced: a delivery that waited while a reader put a new file in place of
// the mailbox ends up in the new one.
func TestReplaced(t *testing.T) {
	path := t.TempDir() + "/Mailbox"
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	os.WriteFile(path+".tmp", []byte("old mail\n"), 0o600)
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatal(err)
	}
	if err := m.Lock(patience); err != nil {
		t.Fatal(err)
	}
	if err := m.Append("From a\n", strings.NewReader("b\n")); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "old mail\nFrom a\nb\n\n" {
		t.Errorf("%q", b)
	}
}
