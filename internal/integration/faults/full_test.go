package faults

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/internal/admin/install"
	"goqmail/internal/integration/site"
)

var starting = regexp.MustCompile(`(?m)^starting delivery \d+: (msg .*)$`)

// TestFull: the queue, or the homes of the users, have no room left, or no inodes. Who
// comes is refused for the time being, what is there waits, is not lost, keeps nobody busy
// and fills no log; once there is room it is delivered, by itself.
func TestFull(t *testing.T) {
	const homes = "/mnt/home"
	queue := filepath.Join(site.Home, "queue")
	for _, c := range []struct {
		name, dir string
		fill      func(*testing.T, string)
		said      []string // in the record
		replies   string
	}{
		{"queue without room", queue, fillRoom, []string{`^warning: trouble writing to `}, "451 qq write error or disk full (#4.3.0)"},
		{"queue without inodes", queue, fillInodes, []string{`^warning: unable to create `}, "451 qq trouble creating files in queue (#4.3.0)"},
		{"homes without room", homes, fillRoom, []string{
			`deferral: Temporary_error_on_maildir_delivery\._\(#4\.3\.0\)/`,
			`deferral: Unable_to_write_\./Mailbox:_out_of_disk_space\._\(#4\.3\.0\)/`,
		}, ""},
		{"homes without inodes", homes, fillInodes, []string{
			`deferral: Temporary_error_on_maildir_delivery\._\(#4\.3\.0\)/`,
			`deferral: Unable_to_open_\./Mailbox:_out_of_disk_space\._\(#4\.2\.1\)/`,
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site.New(t)
			must(t, unix.Mount("small", c.dir, "tmpfs", 0, "size=1m,nr_inodes=1000"))
			t.Cleanup(func() { unix.Unmount(c.dir, unix.MNT_DETACH) })
			must(t, install.Plan{Home: site.Home, Accounts: install.NewSystemAccounts()}.InstallDirectories())
			for user := range site.Users {
				a := site.Account(user)
				os.Mkdir(a.Home, 0o755)
				must(t, os.Chown(a.Home, int(a.UID), int(a.GID)))
			}
			l := newLedger(t, s)
			kinds := slices.Sorted(maps.Keys(recipients))
			s.Queue("Subject: x\n\n"+body, "joe@host.example.org", addresses(kinds)...)
			c.fill(t, c.dir)

			y := s.Up("./Maildir/")
			for _, line := range c.said {
				y.WaitLog(line)
			}
			replies := smtp(s, kinds)
			if ok, forGood := accepted(replies); ok == (c.replies != "") || forGood || !strings.Contains(replies, c.replies) {
				t.Errorf("a client got:\n%s", replies)
			}
			before, busy := len(y.Log()), ticks()
			time.Sleep(2 * time.Second)
			y.Signal(syscall.SIGALRM)
			time.Sleep(time.Second)
			said := y.Log()[before:]
			// A message that has just come has its first attempt, and ALRM is one for all.
			attempts := map[string]int{}
			const linesOfOne = 4 // its start and its end, each with the status
			more := strings.Count(said, "\n")
			for _, m := range starting.FindAllStringSubmatch(said, -1) {
				if attempts[m[1]]++; attempts[m[1]] > 2 {
					t.Errorf("%s was tried %d times in three seconds:\n%s", m[1], attempts[m[1]], said)
				}
				more -= linesOfOne
			}
			if more > 50 {
				t.Errorf("%d other lines in three seconds:\n%s", more, said)
			}
			if more := ticks() - busy; more > 150 {
				t.Errorf("%d ticks in three seconds", more)
			}
			must(t, os.RemoveAll(filepath.Join(c.dir, "filler")))
			messages := 1
			if c.replies == "" {
				messages = 2
			}
			all := func() bool {
				got := l.copies()
				return len(waiting(s)) == 0 && !slices.ContainsFunc(kinds, func(k string) bool { return got[k] < messages })
			}
			if long {
				for end := time.Now().Add(5 * time.Minute); !all() && time.Now().Before(end); {
					time.Sleep(time.Second)
				}
			} else if c.dir == queue {
				y.Stop() // which does for what it would do after two minutes
				y = s.Up("./Maildir/")
			} else {
				y.Signal(syscall.SIGALRM)
			}
			s.Eventually("all mail", all)
			for k, n := range l.copies() {
				if n != messages {
					t.Errorf("%d copies: %s", n, k)
				}
			}
			if ok, _ := accepted(smtp(s, []string{"maildir"})); !ok {
				t.Error("not accepted in the end")
			}
			y.WaitEmpty()
			y.Stop()
		})
	}
}

// fillRoom leaves no block free in a filesystem.
func fillRoom(t *testing.T, dir string) {
	t.Helper()
	must(t, os.Mkdir(filepath.Join(dir, "filler"), 0o700))
	f, err := os.Create(filepath.Join(dir, "filler", "file"))
	must(t, err)
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
}

// fillInodes leaves no inode free.
func fillInodes(t *testing.T, dir string) {
	t.Helper()
	must(t, os.Mkdir(filepath.Join(dir, "filler"), 0o700))
	var err error
	for i := 0; err == nil; i++ {
		err = os.WriteFile(filepath.Join(dir, "filler", fmt.Sprint(i)), nil, 0o600)
	}
}

// smtp has a session with a qmail-smtpd of its own.
func smtp(s *site.Site, kinds []string) string {
	return s.Run(site.Command{Program: "qmail-smtpd", As: "qmaild", Env: []string{"RELAYCLIENT="}, Stdin: strings.NewReader(session(kinds))}).Stdout
}

// ticks is how long all programs of ours have computed.
func ticks() (sum int) {
	for _, name := range glob("/proc/[0-9]*/stat") {
		text, _ := os.ReadFile(name)
		program, rest, _ := strings.Cut(string(text), ") ")
		if f := strings.Fields(rest); strings.Contains(program, "(qmail-") && len(f) > 12 {
			var user, system int
			fmt.Sscan(f[11], &user)
			fmt.Sscan(f[12], &system)
			sum += user + system
		}
	}
	return sum
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
