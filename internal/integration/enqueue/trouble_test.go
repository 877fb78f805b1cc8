package enqueue

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"goqmail/internal/admin/install"
	"goqmail/internal/integration/site"

	"golang.org/x/sys/unix"
)

// TestTrouble: each trouble with the queue has its exit code, and nothing is
// queued.
func TestTrouble(t *testing.T) {
	home := func(name string) string { return filepath.Join(site.Home, name) }
	away := func(name string) func(*testing.T) {
		return func(t *testing.T) {
			must(t, os.Rename(home(name), home(name)+".away"))
			t.Cleanup(func() { os.RemoveAll(home(name)); os.Rename(home(name)+".away", home(name)) })
		}
	}
	foreign := func(name string) func(*testing.T) {
		return func(t *testing.T) {
			must(t, os.Chown(home(name), 0, 0))
			must(t, os.Chmod(home(name), 0o700))
			t.Cleanup(func() { os.Chmod(home(name), 0o755) })
		}
	}
	for _, c := range []struct {
		name  string
		cause func(*testing.T)
		code  int
	}{
		{"no queue", away("queue"), 62},
		{"queue is closed", foreign("queue"), 62},
		{"queue is a file", func(t *testing.T) {
			away("queue")(t)
			must(t, os.WriteFile(home("queue"), nil, 0o644))
		}, 62},
		{"mess is closed", foreign("queue/mess"), 62},
		{"a directory of mess is missing", away("queue/mess/5"), 62},
		{"no pid", away("queue/pid"), 63},
		{"pid is closed", foreign("queue/pid"), 63},
		{"no mess", away("queue/mess"), 64},
		{"no intd", away("queue/intd"), 65},
		{"intd is closed", foreign("queue/intd"), 65},
		{"no todo", away("queue/todo"), 66},
		{"todo is closed", foreign("queue/todo"), 66},
		{"no accounts", func(t *testing.T) {
			passwd := filepath.Join(t.TempDir(), "passwd")
			must(t, os.WriteFile(passwd, fmt.Appendf(nil, "joe:x:%[1]d:%[1]d::/:/bin/sh\n", site.Users["joe"]), 0o644))
			must(t, unix.Mount(passwd, "/etc/passwd", "", unix.MS_BIND, ""))
			t.Cleanup(func() { unix.Unmount("/etc/passwd", unix.MNT_DETACH) })
		}, 111},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site.New(t)
			command := site.Command{Program: "qmail-queue", As: "joe", Dir: "/", Stdin: strings.NewReader("body\n"), FD1: site.Envelope("s@x", "r@y")}
			c.cause(t)
			if r := s.Run(command); r.Code != c.code || r.Signal != 0 {
				t.Errorf("exit code %d, signal %v, want %d: %s", r.Code, r.Signal, c.code, r.Stderr)
			}
			if queued(s) {
				t.Errorf("queued: %v", s.QueueFiles())
			}
		})
	}
}

// TestFull: a queue without room or without inodes refuses. What is left where the
// link fails goes away after 36 hours. (On tmpfs a link takes an inode.)
func TestFull(t *testing.T) {
	queue := filepath.Join(site.Home, "queue")
	text := strings.Repeat("The quick brown fox jumps over the lazy dog.\n", 30_000)
	var many []string
	for range 50_000 {
		many = append(many, "somebody@example.org")
	}
	for _, c := range []struct {
		name       string
		inodes     uint64 // free
		text       string
		recipients []string
		code       int
		left       int // files
	}{
		{"no room for the message", 100, text, []string{"r@y"}, 53, 0},
		{"no room for the envelope", 100, "body\n", many, 53, 0},
		{"no inode for the message", 0, "body\n", []string{"r@y"}, 63, 0},
		{"no inode for the envelope", 1, "body\n", []string{"r@y"}, 65, 0},
		{"no inode for the link", 2, "body\n", []string{"r@y"}, 66, 2},
		{"just enough", 3, "body\n", []string{"r@y"}, 0, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site.New(t)
			must(t, unix.Mount("full", queue, "tmpfs", 0, "size=1m"))
			t.Cleanup(func() { unix.Unmount(queue, unix.MNT_DETACH) })
			must(t, install.Plan{Home: site.Home, Accounts: install.NewSystemAccounts()}.InstallDirectories())
			var st unix.Statfs_t
			must(t, unix.Statfs(queue, &st))
			must(t, unix.Mount("full", queue, "", unix.MS_REMOUNT, fmt.Sprintf("nr_inodes=%d", st.Files-st.Ffree+c.inodes)))
			r := s.Run(site.Command{Program: "qmail-queue", As: "joe", Stdin: strings.NewReader(c.text), FD1: site.Envelope("s@x", c.recipients...)})
			if r.Code != c.code || r.Signal != 0 {
				t.Errorf("exit code %d, signal %v, want %d: %s", r.Code, r.Signal, c.code, r.Stderr)
			}
			if files := s.QueueFiles(); len(files) != c.left {
				t.Errorf("left: %v", files)
			}
		})
	}
}

// queued tells whether there is a message in the queue.
func queued(s *site.Site) bool {
	return slices.ContainsFunc(s.QueueFiles(), func(f string) bool { return strings.HasPrefix(f, "todo/") })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
