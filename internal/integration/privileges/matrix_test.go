package privileges

import (
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/host/confine"
	"goqmail/internal/integration/site"
)

// users are those who try: the accounts of the mail system, one who has mail and
// processes, and one who has nothing.
var users = []string{"alias", "qmaild", "qmaill", "qmailp", "qmailq", "qmailr", "qmails", "joe", "bob"}

// A deed is what a user did with something: "read", "queue/mess/%/#".
type deed struct{ user, what, target string }

// TestMatrix: in a system in the middle of its work, each user can do what
// testdata/matrix allows him, with the reason, and nothing else; and he can do all of
// that, so that the table stays true. The same holds of testdata/confined for whoever has
// taken over a program that is confined.
func TestMatrix(t *testing.T) {
	s := site.New(t)
	copySelf(t)
	targets := atWork(t, s)
	t.Run("users", func(t *testing.T) {
		compare(t, s, "testdata/matrix", targets, users, func(user string) site.Command {
			return site.Command{Program: standIn, Args: []string{"intrude"}, As: user}
		})
	})
	t.Run("confined", func(t *testing.T) {
		needsLandlock(t)
		if v := confine.Version(); v < 7 {
			t.Skipf("the table is that of Linux 6.15, Landlock 7, and this kernel has %d, which confines less", v)
		}
		compare(t, s, "testdata/confined", targets, confinedPrograms, func(program string) site.Command {
			return site.Command{Program: standIn, Args: []string{"intrude", program}}
		})
	})
}

// compare has each of some parties try everything, and wants them to be able to do what a
// table says.
func compare(t *testing.T, s *site.Site, table string, targets map[string]string, parties []string, intruder func(party string) site.Command) {
	done, could := map[deed]bool{}, map[deed]int{}
	for _, u := range parties {
		c := intruder(u)
		c.Stdin = strings.NewReader(strings.Join(slices.Sorted(maps.Keys(targets)), "\n") + "\n")
		r := s.Run(c)
		if r.Code != 0 {
			t.Fatalf("%s: %s", u, r.Stderr)
		}
		for line := range strings.Lines(r.Stdout) {
			what, target, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			d := deed{u, what, targets[target]}
			done[d] = true
			could[d]++
		}
	}
	alike := map[string]int{}
	for _, name := range targets {
		alike[name]++
	}
	for d, n := range could {
		if n != alike[d.target] {
			t.Errorf("%s can %s %d of %d of %s", d.user, d.what, n, alike[d.target], d.target)
		}
	}
	allowed := readMatrix(t, table, parties, slices.Sorted(maps.Keys(alike)))
	report(t, parties, "is not allowed to, but can", done, allowed)
	if scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope"); err == nil && string(scope) != "0\n" {
		t.Log("this kernel lets nobody trace but a parent (kernel.yama.ptrace_scope)")
		maps.DeleteFunc(allowed, func(d deed, _ bool) bool { return d.what == "trace" || d.what == "mem" || d.what == "fd" })
	}
	report(t, parties, "is allowed to, but cannot", allowed, done)
}

// report tells of each deed that is in one set and not in another, in the form of the
// table.
func report(t *testing.T, parties []string, text string, have, want map[deed]bool) {
	type row struct{ users, target string }
	var list []deed
	for d := range have {
		if !want[d] {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b deed) int { return slices.Index(parties, a.user) - slices.Index(parties, b.user) })
	by := map[[2]string][]string{}
	for _, d := range list {
		k := [2]string{d.what, d.target}
		by[k] = append(by[k], d.user)
	}
	whats := map[row][]string{}
	for k, who := range by {
		r := row{strings.Join(who, ","), k[1]}
		whats[r] = append(whats[r], k[0])
	}
	var lines []string
	for r, w := range whats {
		slices.Sort(w)
		if strings.Count(r.users, ",") == len(parties)-1 {
			r.users = "everybody"
		}
		lines = append(lines, fmt.Sprintf("%-8s %s  %s", r.users, strings.Join(w, ","), r.target))
	}
	if len(lines) > 0 {
		slices.Sort(lines)
		t.Errorf("a user %s:\n%s", text, strings.Join(lines, "\n"))
	}
}

// readMatrix reads the table: lines of users, deeds, things, and a reason. Users and
// deeds are separated by commas; everybody is all users. A thing may have * as file
// names have and {one,another}; each that it stands for must be there.
func readMatrix(t *testing.T, table string, parties, targets []string) map[deed]bool {
	t.Helper()
	text, err := os.ReadFile(table)
	must(t, err)
	allowed := map[deed]bool{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if len(fields) < 4 {
			t.Fatalf("no reason: %s", line)
		}
		who := strings.Split(fields[0], ",")
		if fields[0] == "everybody" {
			who = parties
		}
		before := len(allowed)
		for _, pattern := range alternatives(fields[2]) {
			found := false
			for _, target := range targets {
				if ok, err := path.Match(pattern, target); err != nil || !ok {
					continue
				}
				found = true
				for _, u := range who {
					for _, what := range strings.Split(fields[1], ",") {
						allowed[deed{u, what, target}] = true
					}
				}
			}
			if !found {
				t.Errorf("the table speaks of %s, and there is none", pattern)
			}
		}
		if len(allowed) == before {
			t.Errorf("nothing new: %s", line)
		}
	}
	return allowed
}

// alternatives makes "a{b,c}" to "ab" and "ac".
func alternatives(pattern string) []string {
	before, rest, found := strings.Cut(pattern, "{")
	if !found {
		return []string{pattern}
	}
	inside, after, _ := strings.Cut(rest, "}")
	var list []string
	for _, one := range strings.Split(inside, ",") {
		list = append(list, before+one+after)
	}
	return list
}

var (
	queueFile = regexp.MustCompile(`^queue/(mess|info|local|remote)/\d+(/\d+)?$|^queue/(todo|intd|bounce|pid)/(\d+)$`)
	digits    = regexp.MustCompile(`\d+`)
)

// pathName is what the table calls a path below a directory: one of the directories
// that messages are spread over is %, a message is #.
func pathName(rel string) string {
	if !queueFile.MatchString(rel) {
		return rel
	}
	dir, rest, _ := strings.Cut(strings.TrimPrefix(rel, "queue/"), "/")
	if n, file, ok := strings.Cut(rest, "/"); ok || slices.Contains([]string{"mess", "info", "local", "remote"}, dir) {
		rest = digits.ReplaceAllString(n, "%")
		if ok {
			rest += "/" + digits.ReplaceAllString(file, "#")
		}
	} else {
		rest = digits.ReplaceAllString(rest, "#")
	}
	return "queue/" + dir + "/" + rest
}

// atWork brings a system up to where all that it has is there: all of its processes,
// among them those that are kept for many messages, and messages in all states. It
// returns what an intruder may try (see intrude), with the name of each in the table.
func atWork(t *testing.T, s *site.Site) map[string]string {
	t.Helper()
	hang, err := net.Listen("tcp", "127.0.0.1:2526") // connects, and never says a word
	must(t, err)
	t.Cleanup(func() { hang.Close() })
	s.Control("rcpthosts", "host.example.org\nfar.test\n")
	s.Control("smtproutes", ":127.0.0.1:2526\n")
	must(t, os.WriteFile(site.Home+"/users/assign", []byte("=nn:joe:47001:47001:/mnt/home/joe:::\n.\n"), 0o644))
	if r := s.Run(site.Command{Program: "qmail-newu"}); r.Code != 0 {
		t.Fatal(r.Stderr)
	}
	must(t, os.WriteFile(site.Home+"/users/passwd", []byte("x:*:joe:/mnt/home/joe\n"), 0o600))
	must(t, os.WriteFile(site.Home+"/alias/.qmail-postmaster", []byte("joe\n"), 0o644))
	s.UserFile("joe", ".qmail", "./Maildir/\n", 0o644)
	s.UserFile("joe", ".qmail-slow", "|while :; do sleep 1; done\n", 0o644)
	s.UserFile("joe", ".qmail-never", "|exit 100\n", 0o644)
	maildir := s.Maildir("joe", "Maildir")

	y := s.Up("./Mailbox", "cat")
	s.Queue("Subject: in all states\n\n", "s@x.test", "joe@host.example.org", "joe-slow@host.example.org", "joe-never@host.example.org", "r@far.test")
	y.WaitLog(`^status: local 1/\d+ remote 1/\d+$`)
	s.Eventually("a message in a maildir", func() bool { return len(s.ReadDir(maildir+"/new")) == 1 })
	y.WaitLog(`^delivery \d+: failure: `)
	s.Eventually("a note on the failure", func() bool {
		return slices.ContainsFunc(s.QueueFiles(), func(f string) bool { return strings.HasPrefix(f, "bounce/") })
	})
	t.Cleanup(func() { y.Signal(syscall.SIGCONT) })
	y.Signal(syscall.SIGSTOP)
	s.Queue("Subject: not yet preprocessed\n\n", "s@x.test", "joe@host.example.org")

	server := s.Start(site.Command{Program: "qmail-smtpd", Args: []string{"-vHa127.0.0.1:2525"}})
	server.WaitLog(`^qmail-smtpd: listening on `)
	message := "MAIL FROM:<s@x.test>\r\nRCPT TO:<joe@host.example.org>\r\nDATA\r\n" + strings.Repeat("half of a message\r\n", 10_000)
	client, err := net.Dial("tcp", "127.0.0.1:2525")
	must(t, err)
	t.Cleanup(func() { client.Close() })
	client.Write([]byte(message))
	for _, p := range []struct {
		program, as, said string
		args              []string
	}{
		{"qmail-smtpd", "qmaild", message, nil},
		{"qmail-qmtpd", "qmaild", "", nil},
		{"qmail-qmqpd", "qmaild", "", nil},
		{"qmail-queue", "bob", "half of a message", nil},
		{"qmail-inject", "bob", "", nil},
		{"splogger", "qmaill", "", nil},
		{"qmail-popup", "", "", []string{"host.example.org", "qmail-checkpassword", "qmail-pop3d", "Maildir"}},
		{"qmail-pop3d", "joe", "", []string{maildir}},
	} {
		r, w, err := os.Pipe()
		must(t, err)
		t.Cleanup(func() { w.Close() })
		s.Start(site.Command{Program: p.program, As: p.as, Args: p.args, Stdin: r, Env: []string{"TCPREMOTEIP=192.0.2.1"}})
		r.Close()
		go w.WriteString(p.said)
	}
	s.Eventually("three messages on their way", func() bool {
		mess, _ := filepath.Glob(site.Home + "/queue/mess/*/*")
		return len(mess) == 5
	})

	targets := map[string]string{"tcp 127.0.0.1:2525": "tcp:qmail-smtpd"}
	addPaths(t, targets, site.Home, "")
	addPaths(t, targets, "/mnt/home/joe", "~joe/")
	addProcesses(t, s, targets)
	for _, line := range strings.Split(s.Read("/proc/net/unix"), "\n")[1:] {
		if fields := strings.Fields(line); len(fields) > 7 {
			targets["unix "+fields[7]] = "unix:" + fields[7]
		}
	}
	return targets
}

func addPaths(t *testing.T, targets map[string]string, top, prefix string) {
	must(t, filepath.WalkDir(top, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(top, file)
		name := prefix + pathName(rel)
		if strings.HasPrefix(name, "~joe/Maildir/new/") {
			name = "~joe/Maildir/new/#"
		}
		targets["path "+file] = name
		return nil
	}))
}

// addProcesses adds each process of an installed program, and that of the logger. One
// name may be several processes, where there is the same to be tried with them.
func addProcesses(t *testing.T, s *site.Site, targets map[string]string) {
	t.Helper()
	seen := map[string]bool{}
	entries, err := os.ReadDir("/proc")
	must(t, err)
	for _, e := range entries {
		exe, err := os.Readlink("/proc/" + e.Name() + "/exe")
		if err != nil || number(e.Name()) <= 1 {
			continue
		}
		status := s.Read("/proc/" + e.Name() + "/status")
		program := path.Base(exe)
		switch {
		case path.Dir(exe) == site.Home+"/bin":
		case program == "cat" || program == "dash" || program == "bash" || program == "sleep":
			program = map[string]string{"cat": "logger"}[program]
			if program == "" {
				continue // joe's own
			}
		default:
			continue
		}
		if program == "qmail-queue" { // whoever has called it has some power over it
			uid := strings.Fields(status[strings.Index(status, "\nUid:"):])[1]
			for _, u := range users {
				if fmt.Sprint(site.Account(u).UID) == uid {
					program += "(" + u + ")"
				}
			}
		}
		seen[program] = true
		targets["process "+e.Name()] = "process:" + program
	}
	for _, program := range []string{"qmail-send", "qmail-lspawn", "qmail-rspawn", "qmail-clean", "qmail-local", "qmail-getpw", "qmail-remote",
		"qmail-smtpd", "qmail-qmtpd", "qmail-qmqpd", "qmail-queue(qmaild)", "qmail-queue(bob)", "qmail-inject", "qmail-popup", "qmail-pop3d", "splogger", "logger"} {
		if !seen[program] {
			t.Errorf("%s does not run", program)
		}
	}
}
