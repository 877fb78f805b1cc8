package powercut

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/integration/site"
)

// TestMaildir cuts the power at every moment of a qmail-local that delivers into
// a maildir. What it said was delivered is in new, whole; whatever is in new is
// whole.
func TestMaildir(t *testing.T) {
	eachCut(t, func(t *testing.T, kind Kind, mode Mode) {
		joe := site.Account("joe")
		dir := joe.Home + "/Maildir"
		_, disk := newDisk(t, kind, dir)
		for _, sub := range []string{"", "tmp", "new", "cur"} {
			path := filepath.Join(dir, sub)
			os.Mkdir(path, 0o700)
			if err := os.Chown(path, int(joe.UID), int(joe.GID)); err != nil {
				t.Fatal(err)
			}
		}
		syscall.Sync()
		attempts, delivered := 0, map[string]bool{}
		start := func() Command {
			attempts++
			return Command{
				Path: site.Home + "/bin/qmail-local",
				Args: []string{"qmail-local", "--", "joe", joe.Home, "joe", "", "", "example.org", sender(attempts), "./Maildir/"},
				As:   &syscall.Credential{Uid: joe.UID, Gid: joe.GID},
				Files: []*os.File{
					input(t, []byte(queuedText(sender(attempts)))),
					input(t, nil), input(t, nil),
				},
			}
		}
		moments := disk.Sweep(mode, start, func(ok bool) {
			if ok {
				delivered[sender(attempts)] = true
			}
			found := deliveredSenders(t, dir)
			for sender := range delivered {
				if !found[sender] {
					t.Errorf("the message of %s was delivered and is lost", sender)
				}
			}
		})
		if moments < 8 {
			t.Errorf("only %d moments", moments)
		}
	})
}

// deliveredSenders checks every message in new, and tells whose they are.
func deliveredSenders(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(dir + "/new/*")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Error(err)
		}
		var sender string
		fmt.Sscanf(string(text), "Return-Path: <%s", &sender)
		sender = strings.TrimSuffix(sender, ">")
		if want := "Return-Path: <" + sender + ">\nDelivered-To: joe@example.org\n" + queuedText(sender); string(text) != want {
			t.Errorf("torn message %s: %q", filepath.Base(f), text)
		}
		found[sender] = true
	}
	return found
}

// TestMbox cuts the power at every moment of a qmail-local that delivers into an mbox.
// What it said was delivered is there, whole. What it did not may be there in part, for
// there is no other way to add to a file.
func TestMbox(t *testing.T) {
	eachCut(t, func(t *testing.T, kind Kind, mode Mode) {
		joe := site.Account("joe")
		dir := joe.Home + "/disk"
		_, disk := newDisk(t, kind, dir)
		if err := os.Chown(dir, int(joe.UID), int(joe.GID)); err != nil {
			t.Fatal(err)
		}
		syscall.Sync()
		attempts, delivered := 0, map[string]bool{}
		start := func() Command {
			attempts++
			return Command{
				Path:  site.Home + "/bin/qmail-local",
				Args:  []string{"qmail-local", "--", "joe", joe.Home, "joe", "", "", "example.org", sender(attempts), "./disk/Mailbox"},
				As:    &syscall.Credential{Uid: joe.UID, Gid: joe.GID},
				Files: []*os.File{input(t, []byte(queuedText(sender(attempts)))), input(t, nil), input(t, nil)},
			}
		}
		moments := disk.Sweep(mode, start, func(ok bool) {
			if ok {
				delivered[sender(attempts)] = true
			}
			text, err := os.ReadFile(dir + "/Mailbox")
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			for sender := range delivered {
				if !strings.Contains(string(text), "\nReturn-Path: <"+sender+">\nDelivered-To: joe@example.org\n"+queuedText(sender)+"\n") {
					t.Errorf("the message of %s was delivered and is lost", sender)
				}
			}
		})
		if moments < 4 {
			t.Errorf("only %d moments", moments)
		}
		t.Logf("%d moments", moments)
	})
}
