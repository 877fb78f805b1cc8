package powercut

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/integration/site"
	"goqmail/internal/mail/mboxrd"
)

// TestMaildir2mbox cuts the power at every moment of a maildir2mbox. Each message that
// was in the maildir is there or in the mbox, and the mbox has nothing but whole
// messages.
func TestMaildir2mbox(t *testing.T) {
	eachCut(t, func(t *testing.T, kind Kind, mode Mode) {
		dir := site.Account("joe").Home + "/disk"
		_, disk := newDisk(t, kind, dir)
		for _, sub := range []string{"", "tmp", "new", "cur"} {
			if err := os.Mkdir(filepath.Join(dir, "Maildir", sub), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		senders := []string{sender(1), sender(2)}
		start := func() Command {
			// Each attempt begins with the same, or the moments would become more.
			os.Remove(dir + "/Mailbox")
			for _, s := range senders {
				arrive(t, dir, s)
			}
			syscall.Sync()
			return Command{
				Path:  site.Home + "/bin/maildir2mbox",
				Args:  []string{"maildir2mbox"},
				Env:   []string{"MAIL=" + dir + "/Mailbox", "MAILTMP=" + dir + "/tmp", "MAILDIR=" + dir + "/Maildir"},
				Files: []*os.File{input(t, nil), input(t, nil), input(t, nil)},
			}
		}
		moments := disk.Sweep(mode, start, func(bool) {
			found := mboxSenders(t, dir+"/Mailbox")
			left, _ := filepath.Glob(dir + "/Maildir/new/*")
			for _, f := range left {
				name := filepath.Base(f)
				if text, err := os.ReadFile(f); err != nil || string(text) != arrivedText(name) {
					t.Errorf("%s is torn: %v", name, err)
				}
				found[name] = true
			}
			for _, s := range senders {
				if !found[s] {
					t.Errorf("the message of %s is lost", s)
				}
			}
		})
		if moments < 8 {
			t.Errorf("only %d moments", moments)
		}
	})
}

// arrivedText is a message as it stands in a maildir.
func arrivedText(sender string) string { return "Return-Path: <" + sender + ">\n" + queuedText(sender) }

// delivered is when all messages were.
var delivered = time.Date(2026, 11, 24, 14, 5, 0, 0, time.UTC)

// arrive puts a message into the maildir, in a file that is named by its sender.
func arrive(t *testing.T, dir, sender string) {
	t.Helper()
	path := dir + "/Maildir/new/" + sender
	if err := os.WriteFile(path, []byte(arrivedText(sender)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, delivered, delivered); err != nil {
		t.Fatal(err)
	}
}

// mboxSenders checks that the mbox is a sequence of whole messages, and tells whose
// they are.
func mboxSenders(t *testing.T, path string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
	found := map[string]bool{}
	for rest := string(text); rest != ""; {
		var sender string
		fmt.Sscanf(rest, "From %s", &sender)
		whole := mboxrd.FromLine(sender, delivered) + strings.ReplaceAll(arrivedText(sender), "\nFrom ", "\n>From ") + "\n"
		after, ok := strings.CutPrefix(rest, whole)
		if !ok {
			t.Errorf("the mbox is torn at %.100q", rest)
			break
		}
		found[sender] = true
		rest = after
	}
	return found
}
