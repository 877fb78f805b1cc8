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
		moments := sweepLocal(t, disk, mode, "./Maildir/", func() func(string) bool {
			found := deliveredSenders(t, dir)
			return func(sender string) bool { return found[sender] }
		})
		if moments < 8 {
			t.Errorf("only %d moments", moments)
		}
	})
}

// sweepLocal sweeps over qmail-local, which delivers a message for joe from another sender
// each time, and returns how many moments there were. After each cut, look looks at what
// is there, and then tells of a sender whether his message is.
func sweepLocal(t *testing.T, disk *Disk, mode Mode, delivery string, look func() func(sender string) bool) int {
	joe := site.Account("joe")
	syscall.Sync()
	attempts, delivered := 0, map[string]bool{}
	start := func() Command {
		attempts++
		return Command{
			Path:  site.Home + "/bin/qmail-local",
			Args:  []string{"qmail-local", "--", "joe", joe.Home, "joe", "", "", "example.org", sender(attempts), delivery},
			As:    &syscall.Credential{Uid: joe.UID, Gid: joe.GID},
			Files: []*os.File{input(t, []byte(queuedText(sender(attempts)))), input(t, nil), input(t, nil)},
		}
	}
	return disk.Sweep(mode, start, func(ok bool) {
		if ok {
			delivered[sender(attempts)] = true
		}
		found := look()
		for sender := range delivered {
			if !found(sender) {
				t.Errorf("the message of %s was delivered and is lost", sender)
			}
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
		moments := sweepLocal(t, disk, mode, "./disk/Mailbox", func() func(string) bool {
			text, err := os.ReadFile(dir + "/Mailbox")
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			return func(sender string) bool {
				return strings.Contains(string(text), "\nReturn-Path: <"+sender+">\nDelivered-To: joe@example.org\n"+queuedText(sender)+"\n")
			}
		})
		if moments < 4 {
			t.Errorf("only %d moments", moments)
		}
		t.Logf("%d moments", moments)
	})
}
