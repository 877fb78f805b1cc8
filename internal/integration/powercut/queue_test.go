package powercut

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/admin/install"
	"goqmail/internal/integration/site"
	"goqmail/internal/wire/submit"
	"goqmail/queue"
)

// TestQueue cuts the power at every moment of qmail-queue. What it accepted is in
// the queue, whole; whatever is in todo is whole, accepted or not.
func TestQueue(t *testing.T) {
	sweepQueue(t, 0, func(t *testing.T, attempt int) (Command, func(bool) []string) {
		sender := sender(attempt)
		command := Command{Path: site.Home + "/bin/qmail-queue", Args: []string{"qmail-queue"}, Files: []*os.File{
			input(t, []byte(queuedText(sender))),
			input(t, fmt.Appendf(nil, "F%s\x00Tr@example.org\x00\x00", sender)),
		}}
		return command, func(ok bool) []string {
			if ok {
				return []string{sender}
			}
			return nil
		}
	})
}

// TestQueueResident is TestQueue for a resident qmail-queue that gets three messages
// at the same time, so that they share syncs. One was accepted once its submitter
// knows.
func TestQueueResident(t *testing.T) {
	sweepQueue(t, 0, func(t *testing.T, attempt int) (Command, func(bool) []string) {
		told, tell, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		command := Command{Path: "/proc/self/exe", Args: []string{"test", "submit", sender(attempt)},
			Files: []*os.File{input(t, nil), tell}}
		return command, func(bool) []string {
			defer told.Close()
			text, err := io.ReadAll(told)
			if err != nil {
				t.Fatal(err)
			}
			return strings.Fields(string(text))
		}
	})
}

// TestSMTP is TestQueue for a qmail-smtpd and the qmail-queue that it starts. A message
// was accepted once its client has read so.
func TestSMTP(t *testing.T) {
	sweepQueue(t, fewer(3), func(t *testing.T, attempt int) (Command, func(bool) []string) {
		sender := sender(attempt)
		replies, err := os.Create(filepath.Join(t.TempDir(), "replies"))
		if err != nil {
			t.Fatal(err)
		}
		session := "HELO client\nMAIL FROM:<" + sender + ">\nRCPT TO:<r@example.org>\nDATA\n" + queuedText(sender) + ".\nQUIT\n"
		command := Command{Path: site.Home + "/bin/qmail-smtpd", Args: []string{"qmail-smtpd"},
			Env:   []string{"RELAYCLIENT=", "TCPREMOTEIP=127.0.0.1"},
			Files: []*os.File{input(t, []byte(strings.ReplaceAll(session, "\n", "\r\n"))), replies, input(t, nil)}}
		return command, func(bool) []string {
			text, err := os.ReadFile(replies.Name())
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "\n250 ok ") && strings.Contains(string(text), " qp ") {
				return []string{sender}
			}
			return nil
		}
	})
}

// TestForward is TestQueue for a qmail-local that forwards a message. It was accepted
// once qmail-local says that it was delivered.
func TestForward(t *testing.T) {
	joe := fmt.Sprint(site.Users["joe"])
	sweepQueue(t, fewer(3), func(t *testing.T, attempt int) (Command, func(bool) []string) {
		sender := sender(attempt)
		home := site.Account("joe").Home
		// Not As: who was joe when tracing began does not let qmail-queue become its user.
		command := Command{Path: "/usr/bin/setpriv",
			Args: []string{"setpriv", "--reuid", joe, "--regid", joe, "--clear-groups",
				site.Home + "/bin/qmail-local", "--", "joe", home, "joe", "", "", "example.org", sender, "&r@example.org"},
			Files: []*os.File{input(t, []byte(queuedText(sender))), input(t, nil), input(t, nil)}}
		return command, func(ok bool) []string {
			if ok {
				return []string{sender}
			}
			return nil
		}
	})
}

// submitThree is the parent of that qmail-queue. It writes down whose messages were
// accepted.
func submitThree(name string) {
	q := submit.Queue{Home: site.Home, Resident: submit.NewResident(site.Home)}
	results := make(chan error)
	for i := range 3 {
		go func() {
			sender := fmt.Sprint(i, name)
			m, err := q.Open()
			if err == nil {
				m.WriteString(queuedText(sender))
				m.From(sender)
				m.To("r@example.org")
				err = m.Close()
			}
			if err == nil {
				_, err = os.Stdout.WriteString(sender + "\n")
			}
			results <- err
		}()
	}
	code := 0
	for range 3 {
		if err := <-results; err != nil {
			code = 111
		}
	}
	q.Resident.Close()
	os.Exit(code)
}

// sweepQueue sweeps over attempts to queue something. Each attempt has a command, and
// a function that tells whose messages were accepted in it, given whether the command
// succeeded. It takes one moment of every so many.
func sweepQueue(t *testing.T, every int, begin func(t *testing.T, attempt int) (Command, func(bool) []string)) {
	eachCut(t, func(t *testing.T, kind Kind, mode Mode) {
		dir := site.Home + "/queue"
		_, disk := newDisk(t, kind, dir)
		disk.Every = every
		plan := install.Plan{Home: site.Home, Accounts: install.NewSystemAccounts()}
		if err := plan.InstallDirectories(); err != nil {
			t.Fatal(err)
		}
		syscall.Sync()
		attempts, accepted := 0, map[string]bool{}
		var outcome func(bool) []string
		start := func() (c Command) {
			attempts++
			c, outcome = begin(t, attempts)
			return c
		}
		moments := disk.Sweep(mode, start, func(ok bool) {
			for _, sender := range outcome(ok) {
				accepted[sender] = true
			}
			queued := queuedSenders(t, dir)
			for sender := range accepted {
				if !queued[sender] {
					t.Errorf("the message of %s was accepted and is lost", sender)
				}
			}
		})
		if moments < 10 || len(accepted) == 0 {
			t.Errorf("%d moments, %d messages accepted", moments, len(accepted))
		}
		t.Logf("%d moments, %d messages accepted", moments, len(accepted))
	})
}

// long asks for the long form: all moments, on all filesystems.
var long = os.Getenv("GOQMAIL_CRASH") != ""

// fewer is how many moments the short form has one of.
func fewer(n int) int {
	if long {
		return 0
	}
	return n
}

// eachCut runs a test with each filesystem, the short form with ext4 only, in both
// modes.
func eachCut(t *testing.T, test func(t *testing.T, kind Kind, mode Mode)) {
	kinds := []Kind{Ext4}
	if long {
		kinds = append(kinds, XFS)
	}
	for _, kind := range kinds {
		for _, mode := range []Mode{LoseAll, KeepJournal} {
			t.Run(fmt.Sprintf("%s, %v", kind, mode), func(t *testing.T) {
				test(t, kind, mode)
			})
		}
	}
}

func sender(n int) string { return fmt.Sprintf("s%d@example.org", n) }

// queuedText is a message that is a little longer than a page.
func queuedText(sender string) string {
	return "From: " + sender + "\n\n" + strings.Repeat("The quick brown fox jumps over the lazy dog.\n", 100)
}

// queuedSenders checks every message in todo, and tells whose they are.
func queuedSenders(t *testing.T, dir string) map[string]bool {
	t.Helper()
	q, err := queue.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	queued := map[string]bool{}
	for n, err := range q.Numbers(queue.Todo) {
		if err != nil {
			t.Fatal(err)
		}
		todo, err := os.ReadFile(q.Path(queue.Todo, n))
		if err != nil {
			t.Error(err)
		}
		_, envelope, _ := bytes.Cut(todo, []byte("\x00F"))
		sender, recipients, _ := strings.Cut(string(envelope), "\x00")
		if !bytes.HasPrefix(todo, []byte("u")) || recipients != "Tr@example.org\x00" {
			t.Errorf("torn envelope: %q", todo)
		}
		mess := q.Path(queue.Mess, n)
		var st syscall.Stat_t
		if err := syscall.Stat(mess, &st); err != nil || queue.Number(st.Ino) != n {
			t.Errorf("%s: inode number %d, %v", filepath.Base(mess), st.Ino, err)
		}
		text, err := os.ReadFile(mess)
		if !bytes.HasPrefix(text, []byte("Received: (qmail ")) || !strings.HasSuffix(string(text), "\n"+queuedText(sender)) {
			t.Errorf("torn message of %s: %d bytes, %v", sender, len(text), err)
		}
		queued[sender] = true
	}
	return queued
}

// input is a descriptor that a text can be read from.
func input(t *testing.T, text []byte) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(text); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	return f
}
