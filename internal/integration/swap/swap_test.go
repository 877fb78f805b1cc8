// Package swap puts each program of goqmail in the place of its namesake in an
// installed C qmail, and each C program in the place of ours, and wants mail to
// flow with the same log (make swap C=HOME). In the end a queue with deferred
// mail goes from ours to C and back.
//
// The installed qmail is only read: all happens in a site of its own, at the
// home that the C programs have compiled in.
package swap

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
)

const needsC = "needs the home of an installed C qmail in GOQMAIL_C_HOME (make swap C=HOME)"

func TestMain(m *testing.M) {
	if home := os.Getenv("GOQMAIL_C_HOME"); home != "" {
		site.Home = home
		site.Main(m)
	}
	os.Exit(m.Run())
}

// programs are those that are swapped.
var programs = []string{
	"qmail-queue", "qmail-send", "qmail-clean", "qmail-lspawn", "qmail-rspawn",
	"qmail-local", "qmail-remote", "qmail-getpw", "qmail-smtpd", "qmail-inject",
}

func newSite(t *testing.T) *site.Site {
	t.Helper()
	if os.Getenv("GOQMAIL_C_HOME") == "" {
		t.Skip(needsC)
	}
	return site.New(t)
}

func TestSwap(t *testing.T) {
	s := newSite(t)
	useC(t, programs...)
	want := flow(t, s)
	t.Logf("the log of the C programs:\n%s", want)
	s = newSite(t)
	s.Install()
	if got := flow(t, s); got != want {
		t.Fatalf("the log of our programs is another:\n%s", got)
	}
	for _, p := range programs {
		t.Run("our "+p+" among C", func(t *testing.T) {
			s := newSite(t)
			s.Install()
			for _, other := range programs {
				if other != p {
					useC(t, other)
				}
			}
			compare(t, flow(t, s), want)
		})
		t.Run("C "+p+" among ours", func(t *testing.T) {
			s := newSite(t)
			s.Install()
			useC(t, p)
			compare(t, flow(t, s), want)
		})
	}
}

func compare(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("another log:\n%s", got)
	}
}

// useC puts C programs into bin, with the owner and mode that ours have there.
func useC(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(site.Aside, name))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(site.Home, "bin", name)
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		st := fi.Sys().(*syscall.Stat_t)
		next := path + ".new"
		if err := os.WriteFile(next, text, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(next, int(st.Uid), int(st.Gid)); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Chmod(next, st.Mode&0o7777); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, path); err != nil {
			t.Fatal(err)
		}
	}
}

// flow sends mail through every door, one message after another, checks that it
// arrives, and returns the log without numbers that differ from run to run.
func flow(t *testing.T, s *site.Site) string {
	t.Helper()
	remote := startRemote(t)
	defer remote.close()
	s.Control("rcpthosts", "host.example.org\n")
	s.Control("smtproutes", ":127.0.0.2\n")
	s.Control("virtualdomains", "virtual.example:joe-virtual\n")
	joe, ann := s.Maildir("joe", "Maildir"), s.Maildir("ann", "Maildir")
	s.UserFile("joe", ".qmail-virtual-default", "|cat >>$HOME/virtual\n", 0o600)
	s.UserFile("joe", ".qmail-list", "&ann@host.example.org\n&kim@remote.example\n", 0o600)
	s.UserFile("joe", ".qmail-list-owner", "", 0o600)
	y := s.Up("./Maildir/")

	var log strings.Builder
	seen := 0
	settle := func() {
		y.WaitEmpty()
		s.Eventually("the last line of the log", func() bool { return lastLine.MatchString(y.Log()) })
		all := y.Log()
		log.WriteString(normal(all[seen:]))
		seen = len(all)
	}
	smtp(t, s, "sue@remote.example", "joe@host.example.org")
	settle()
	smtp(t, s, "joe@host.example.org", "nobody@host.example.org")
	settle()
	for _, to := range []string{"joe@virtual.example", "joe-list", "kim@remote.example", "refused@remote.example"} {
		inject(t, s, "ann", to)
		settle()
	}
	y.Stop()
	for what, n := range map[string][2]int{
		"joe's maildir":   {len(s.ReadDir(joe + "/new")), 2},
		"ann's maildir":   {len(s.ReadDir(ann + "/new")), 2},
		"the remote host": {remote.count(), 2},
	} {
		if n[0] != n[1] {
			t.Errorf("%s has %d messages, should have %d\n%s", what, n[0], n[1], y.Log())
		}
	}
	if !strings.Contains(s.Read("/mnt/home/joe/virtual"), "Hello!") {
		t.Error("the virtual domain has no message")
	}
	return log.String()
}

var lastLine = regexp.MustCompile(`\nend msg \d+\n$`)

var numbers = regexp.MustCompile(`(msg|qp|qp_|bytes|delivery|bounce/)( ?)\d+`)

// normal takes out of a piece of the log what differs from run to run: numbers,
// status lines, and the order in which deliveries side by side report.
func normal(log string) string {
	lines := strings.Split(numbers.ReplaceAllString(log, "$1${2}N"), "\n")
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "status:") })
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

// smtp gives a message to qmail-smtpd.
func smtp(t *testing.T, s *site.Site, from, to string) {
	t.Helper()
	script := fmt.Sprintf("HELO client\r\nMAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\nSubject: x\r\n\r\nHello!\r\n.\r\nQUIT\r\n", from, to)
	r := s.Run(site.Command{Program: "qmail-smtpd", As: "qmaild", Stdin: strings.NewReader(script),
		Env: []string{"TCPREMOTEIP=192.0.2.1", "TCPREMOTEHOST=client.example"}})
	if !strings.Contains(r.Stdout, "\r\n250 ok ") || r.Code != 0 {
		t.Fatalf("qmail-smtpd: exit code %d, %s%s", r.Code, r.Stdout, r.Stderr)
	}
}

// inject gives a message to qmail-inject.
func inject(t *testing.T, s *site.Site, from, to string) {
	t.Helper()
	r := s.Run(site.Command{Program: "qmail-inject", Args: []string{to}, As: from, Env: []string{"QMAILUSER=" + from},
		Stdin: strings.NewReader("Subject: x\n\nHello!\n")})
	if r.Code != 0 {
		t.Fatalf("qmail-inject: exit code %d, %s", r.Code, r.Stderr)
	}
}

// TestHandOver: mail that ours could not deliver yet waits in the queue for C,
// and what C could not deliver waits for ours.
func TestHandOver(t *testing.T) {
	s := newSite(t)
	s.Install()
	remote := startRemote(t)
	defer remote.close()
	remote.refuse(true)
	s.Control("smtproutes", ":127.0.0.2\n")
	joe := s.Maildir("joe", "Maildir")
	dot := s.UserFile("joe", ".qmail", "|exit 111\n", 0o600)
	turn := func(name string, c bool, pre func(y *site.System)) {
		t.Helper()
		if c {
			useC(t, programs...)
		} else {
			s.Install()
		}
		y := s.Up("./Maildir/")
		pre(y)
		y.Stop()
		if t.Failed() {
			t.Fatalf("%s:\n%s", name, y.Log())
		}
	}
	deferred := func(n int) func(y *site.System) {
		return func(y *site.System) {
			inject(t, s, "ann", "joe")
			inject(t, s, "ann", "kim@remote.example")
			y.Signal(syscall.SIGALRM)
			s.Eventually(fmt.Sprintf("%d deferrals", n), func() bool { return strings.Count(y.Log(), " deferral: ") >= n })
		}
	}
	turn("ours", false, deferred(2))
	turn("C", true, deferred(4))
	turn("ours again", false, deferred(6))
	remote.refuse(false)
	if err := os.Remove(dot); err != nil {
		t.Fatal(err)
	}
	turn("C, all delivered", true, func(y *site.System) { y.Signal(syscall.SIGALRM); y.WaitEmpty() })
	if n, m := len(s.ReadDir(joe+"/new")), remote.count(); n != 3 || m != 3 {
		t.Errorf("%d local and %d remote messages, should be 3 and 3", n, m)
	}
}

// TestHandOverHeld: what is held or paused here does not disturb C, which delivers it; and
// what C could not deliver is held and paused again with ours.
func TestHandOverHeld(t *testing.T) {
	s := newSite(t)
	s.Install()
	joe := s.Maildir("joe", "Maildir")
	dot := s.UserFile("joe", ".qmail", "|exit 111\n", 0o600)
	queuectl := func(want string, args ...string) {
		t.Helper()
		r := s.Run(site.Command{Program: "qmail-queuectl", Args: args})
		if r.Code != 0 || !strings.Contains(r.Stdout, want) {
			t.Fatalf("%v: exit code %d, %s%s", args, r.Code, r.Stdout, r.Stderr)
		}
	}
	y := s.Up("./Maildir/")
	inject(t, s, "ann", "joe")
	y.WaitLog(` deferral: `)
	queuectl("1 done", "hold", "-a")
	queuectl("", "pause", "host.example.org")
	y.Stop()

	useC(t, programs...)
	y = s.Up("./Maildir/")
	y.Signal(syscall.SIGALRM)
	y.WaitLog(` deferral: `)
	queuectl(" held\n", "list") // beside C
	y.Stop()

	s.Install()
	y = s.Up("./Maildir/")
	queuectl("1 messages", "list", "-H")
	queuectl("1 done", "release", "-a")
	queuectl(" paused  joe@host.example.org\n", "list")
	queuectl("1 done", "hold", "-a")
	y.Stop()
	if strings.Contains(y.Log(), "starting delivery") {
		t.Errorf("%s", y.Log())
	}

	if err := os.Remove(dot); err != nil {
		t.Fatal(err)
	}
	useC(t, programs...)
	y = s.Up("./Maildir/")
	y.Signal(syscall.SIGALRM)
	y.WaitEmpty()
	y.Stop()
	if n := len(s.ReadDir(joe + "/new")); n != 1 {
		t.Errorf("%d messages, should be 1", n)
	}
}
