// Package send runs the whole mail system and makes trouble for qmail-send: a full
// disk, kills in the middle of work, descriptors that are not there.
package send

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/integration/site"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { site.Main(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestBounces: the record tells of a bounce and of the end of its original before it
// tells of the bounce as a message, also when many come at the same time and whether
// qmail-queue is kept open for them or not.
func TestBounces(t *testing.T) {
	for _, residence := range []string{"0", "1"} {
		t.Run("residence "+residence, func(t *testing.T) {
			s := site.New(t)
			s.Control("residence", residence+"\n")
			y := s.Up("./Maildir/")
			dir := s.Maildir("joe", "Maildir")
			const messages = 40
			for i := range messages {
				s.Queue("Subject: x\n\nbody\n", "joe@host.example.org", fmt.Sprintf("nobody%d@host.example.org", i))
			}
			s.Eventually("all bounces", func() bool { return len(s.ReadDir(dir+"/new")) == messages })
			y.WaitEmpty()
			y.Stop()
			told := map[string]bool{}
			bounce := regexp.MustCompile(`^bounce msg \d+ qp (\d+)$`)
			info := regexp.MustCompile(`^info msg \d+: bytes \d+ from <> qp (\d+) uid`)
			for line := range strings.SplitSeq(y.Log(), "\n") {
				if m := bounce.FindStringSubmatch(line); m != nil {
					told[m[1]] = true
				}
				if m := info.FindStringSubmatch(line); m != nil && !told[m[1]] {
					t.Errorf("%q comes before the line of its bounce", line)
				}
			}
			for _, text := range s.ReadDir(dir + "/new") {
				if !strings.Contains(text, "Sorry, no mailbox here by that name. (#5.1.1)\n") {
					t.Errorf("%s", text)
				}
			}
		})
	}
}

// TestFullDisk: while failures cannot be noted, nothing is lost and nobody is told
// wrong things; when there is room again, all goes on by itself.
func TestFullDisk(t *testing.T) {
	s := site.New(t)
	dir := s.Maildir("joe", "Maildir")
	must(t, unix.Mount("bounce", site.Home+"/queue/bounce", "tmpfs", 0, "size=4k,mode=0700"))
	t.Cleanup(func() { unix.Unmount(site.Home+"/queue/bounce", unix.MNT_DETACH) })
	qmails := site.Account("qmails")
	must(t, os.Chown(site.Home+"/queue/bounce", int(qmails.UID), int(qmails.GID)))
	filler := site.Home + "/queue/bounce/filler"
	must(t, os.WriteFile(filler, make([]byte, 4096), 0o600))

	y := s.Up("./Maildir/")
	s.Queue("Subject: x\n\nbody\n", "joe@host.example.org", "joe@host.example.org", "nobody@host.example.org")
	y.WaitLog(`^alert: unable to append to bounce message; HELP! sleeping\.\.\.$`)
	s.Eventually("the other recipient's mail", func() bool { return len(s.ReadDir(dir+"/new")) == 1 })
	s.Queue("Subject: y\n\nbody\n", "ann@host.example.org", "joe@host.example.org") // others go on
	s.Eventually("the other message", func() bool { return len(s.ReadDir(dir+"/new")) == 2 })
	if got := marks(s); got != "D" && got != "DT" && got != "TD" {
		t.Errorf("marks %q", got)
	}
	must(t, os.Remove(filler))
	y.WaitLog(`^bounce msg \d+ qp \d+$`)
	s.Eventually("the bounce", func() bool { return len(s.ReadDir(dir+"/new")) == 3 })
	y.Stop()
}

// marks are the letters of the recipients in the queue.
func marks(s *site.Site) string {
	var marks []byte
	for _, name := range s.QueueFiles() {
		if !strings.HasPrefix(name, "local/") {
			continue
		}
		for record := range strings.SplitSeq(s.Read(filepath.Join(site.Home, "queue", name)), "\x00") {
			if record != "" {
				marks = append(marks, record[0])
			}
		}
	}
	return string(marks)
}

// TestKilled: qmail-send is killed again and again while messages come in. Every
// recipient gets every message, every failure is told, and what is delivered twice is
// what was in work when it was killed.
func TestKilled(t *testing.T) {
	s := site.New(t)
	joe, ann := s.Maildir("joe", "Maildir"), s.Maildir("ann", "Maildir")
	const messages, rounds = 40, 8
	for round := range rounds {
		y := s.Up("./Maildir/")
		for i := range messages / rounds {
			s.Queue(fmt.Sprintf("Subject: number %d.\n\nbody\n", round*messages/rounds+i), "ann@host.example.org", "joe@host.example.org", "nobody@host.example.org")
		}
		y.WaitLog(`^delivery \d+: success`)
		y.Signal(syscall.SIGKILL)
		y.Wait()
	}
	y := s.Up("./Maildir/")
	y.Signal(syscall.SIGALRM)
	s.Eventually("a queue with nothing in it that waits", func() bool {
		return !slices.ContainsFunc(s.QueueFiles(), func(name string) bool {
			return !strings.HasPrefix(name, "mess/") && !strings.HasPrefix(name, "intd/") && !strings.HasPrefix(name, "pid/")
		})
	})
	y.Stop()
	for who, dir := range map[string]string{"joe": joe, "ann": ann} {
		texts := strings.Join(s.ReadDir(dir+"/new"), "")
		for i := range messages {
			switch n := strings.Count(texts, fmt.Sprintf("Subject: number %d.\n", i)); {
			case n == 0:
				t.Errorf("message %d never reached %s", i, who)
			case n > rounds:
				t.Errorf("message %d reached %s %d times", i, who, n)
			}
		}
	}
}

// TestDescriptors: whatever descriptors are missing, it says so where it can, and
// writes into no file of its own.
func TestDescriptors(t *testing.T) {
	s := site.New(t)
	sum := func() string {
		var b strings.Builder
		must(t, filepath.WalkDir(site.Home, func(path string, e os.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() {
				fmt.Fprintf(&b, "%s %d\n", path, len(s.Read(path)))
			}
			return err
		}))
		return b.String()
	}
	before := sum()
	for missing := 1; missing < 1<<7; missing++ {
		script := "exec 7>&2 "
		for fd := range 7 {
			if missing&(1<<fd) != 0 {
				script += fmt.Sprintf("%d>&- ", fd)
			} else if fd == 0 {
				script += "0>&7 "
			} else {
				script += fmt.Sprintf("%d>/dev/null ", fd)
			}
		}
		script += "7>&-; exec " + site.Home + "/bin/qmail-send"
		r := s.Run(site.Command{Program: "/bin/sh", Args: []string{"-c", script}, As: "qmails"})
		want := "alert: cannot start: hath the daemon spawn no fire?\n"
		if missing&1 != 0 {
			want = ""
		}
		if r.Code != 111 || r.Signal != 0 || r.Stderr != want {
			t.Errorf("without descriptors %07b: exit code %d, signal %v, %q", missing, r.Code, r.Signal, r.Stderr)
		}
	}
	if after := sum(); after != before {
		t.Errorf("files have changed:\n%s\n%s", before, after)
	}
}
