package memory

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"goqmail/internal/admin/install"
	"goqmail/internal/integration/site"

	"golang.org/x/sys/unix"
)

// patience is how long something large may take, on a machine that has much else to do.
const patience = 15 * time.Minute

// empty waits until the queue is.
func empty(t *testing.T, s *site.Site) {
	t.Helper()
	for end := time.Now().Add(patience); len(s.QueueFiles()) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in the queue: %v", s.QueueFiles())
		}
	}
}

// newQueue mounts a tmpfs of another size for the queue.
func newQueue(t *testing.T, options string) {
	t.Helper()
	dir := site.Home + "/queue"
	must(t, unix.Mount("queue", dir, "tmpfs", 0, "mode=0750,"+options))
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	must(t, install.Plan{Home: site.Home, Accounts: install.NewSystemAccounts()}.InstallQueue())
}

// TestHuge: a message of more than 4 GiB, whose size no 32 bits hold, goes to a program
// and to another host, whole.
func TestHuge(t *testing.T) {
	if !large {
		t.Skip("needs 5 GB of memory for the queue, and minutes: GOQMAIL_MEMORY=long")
	}
	const size = 4*gigabyte + 100<<20
	s := site.New(t)
	newQueue(t, "size=5g")
	received := sink(t)
	s.Control("smtproutes", ":127.0.0.2\n")
	s.UserFile("joe", ".qmail", "|wc -c > size\n", 0o600)
	w := startWatch()
	s.Up("./Maildir/")
	r := s.Run(site.Command{Program: "qmail-queue", As: "qmaild", Within: patience,
		Stdin: long("Subject: huge\n\n", strings.Repeat("\x00", 999)+"\n", size, ""), FD1: site.Envelope("sue@remote.example", "joe@host.example.org", "kim@remote.example")})
	if r.Code != 0 {
		t.Fatalf("qmail-queue: exit code %d, signal %v", r.Code, r.Signal)
	}
	empty(t, s)
	w.finish(t, "qmail-queue", "qmail-local", "qmail-remote", "qmail-send")
	const least = size - 1<<20 // long makes no half blocks
	if n, err := strconv.ParseInt(strings.TrimSpace(s.Read(site.Account("joe").Home+"/size")), 10, 64); err != nil || n < least {
		t.Errorf("the program got %d bytes, %v", n, err)
	}
	if received() < least {
		t.Errorf("the other host got %d bytes", received())
	}
}

// TestMillionMessages: qmail-send starts on a queue of a million messages that wait, and
// others list and count them. Names are all that there is a million of: the files are
// links to three.
func TestMillionMessages(t *testing.T) {
	if !large {
		t.Skip("takes a minute: GOQMAIL_MEMORY=long")
	}
	const n = 1_000_000
	s := site.New(t)
	newQueue(t, "nr_inodes=0")
	queue := site.Home + "/queue"
	later := time.Now().Add(time.Hour)
	for _, f := range []struct{ kind, text, owner string }{
		{"mess", "Subject: x\n\n", "qmailq"}, {"info", "Fsue@remote.example\x00", "qmails"}, {"remote", "Tr@remote.example\x00", "qmails"},
	} {
		first := fmt.Sprintf("%s/%s/1/1", queue, f.kind)
		must(t, os.WriteFile(first, []byte(f.text), 0o644))
		u := site.Account(f.owner)
		must(t, os.Chown(first, int(u.UID), int(u.GID)))
		if f.kind == "remote" {
			must(t, os.Chtimes(first, later, later))
		}
		for i := 2; i <= n; i++ {
			must(t, os.Link(first, fmt.Sprintf("%s/%s/%d/%d", queue, f.kind, i%23, i)))
		}
	}
	watch := startWatch()
	y := s.Up("./Maildir/")
	if r := s.Run(site.Command{Program: "qmail-qread", Within: patience}); r.Code != 0 || strings.Count(r.Stdout, "remote\tr@remote.example\n") != n {
		t.Errorf("qmail-qread: exit code %d, %d lines, %.300s", r.Code, strings.Count(r.Stdout, "\n"), r.Stderr)
	}
	if r := s.Run(site.Command{Program: "qmail-qstat", Within: patience}); !strings.Contains(r.Stdout, fmt.Sprintf("messages in queue: %d\n", n)) {
		t.Errorf("qmail-qstat: %q %.300s", r.Stdout, r.Stderr)
	}
	watch.within(t, 160<<20, "qmail-send", "qmail-qread")
	y.Stop()
}
