package privileges

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/integration/site"

	"golang.org/x/sys/unix"
)

// hostileWords are what senders and recipients of hostile mail are made of.
var hostileWords = []string{
	"..", ".", "/", "../..", "../../ann/secret", "../ann/.qmail-secret", "a/../../../ann/secret", "x/../../../../../etc/passwd", "default/../x", "....//....//ann/secret",
	"-", "--", "-n", "-default", "default", "-owner", "..-..", "\x7f", "\x80\xff\xfe", "j\xc3\xb6rg", "%s%n", "%2e%2e%2f", "\\..\\..",
	"$(touch pwned)", "`touch pwned`", ";touch pwned;", "|touch pwned", "&touch pwned&", "'; touch pwned; '", "\"; touch pwned; \"", "x\ntouch pwned\n", "x\r\n|touch pwned\r\n",
	"${IFS}touch${IFS}pwned", ">pwned", "<(touch pwned)", "() { :;}; touch pwned", "$0", "~root", "*", "?", "!touch", "#", "\t", "  ", "\x01\x1b[2J",
	strings.Repeat("x", 900), strings.Repeat("a-", 400), strings.Repeat("../", 200), strings.Repeat("\xff", 500),
}

// TestExtensions: whatever follows the dash in an address, and whoever sends it, the file
// that is followed is one of the recipient's, and what it runs sees both in its
// environment as they are, and nowhere else.
func TestExtensions(t *testing.T) {
	s := site.New(t)
	s.Maildir("joe", "Maildir") // where programs are not run
	must(t, os.Mkdir("/mnt/home/joe/.qmail-x", 0o755))
	s.UserFile("joe", ".qmail-default", `|printf '%s\0' "$EXT" "$DEFAULT" "$LOCAL" "$RECIPIENT" "$SENDER" "$0" "$#" "$PWD" >>seen`+"\n", 0o644)
	for _, file := range []string{".qmail", ".qmail-secret", "secret", ".qmail-default"} {
		s.UserFile("ann", file, "|touch /mnt/home/joe/reached /mnt/home/ann/reached\n", 0o666&^0o022)
	}
	y := s.Up()
	want := map[string]bool{}
	for _, m := range pairs(hostileWords) {
		recipient := "joe-" + m.ext
		want[strings.Join([]string{m.ext, m.ext, recipient, recipient + "@host.example.org", m.sender, "/bin/sh", "0", "/mnt/home/joe"}, "\x00")] = true
		s.Queue("Subject: x\n\n", m.sender, recipient+"@host.example.org")
	}
	y.WaitEmpty()
	seen := strings.Split(s.Read("/mnt/home/joe/seen"), "\x00")
	for group := range slices.Chunk(seen[:len(seen)-1], 8) {
		key := strings.Join(group, "\x00")
		if !want[key] {
			t.Errorf("a program saw %.100q", group)
		}
		delete(want, key)
	}
	for key := range want {
		t.Errorf("no program saw %.100q", strings.Split(key, "\x00"))
	}
	for _, pattern := range []string{"/mnt/home/*/pwned", "/mnt/home/*/reached", "/mnt/home/*/*/pwned", "/pwned", site.Home + "/pwned", site.Home + "/queue/mess/pwned"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			t.Errorf("%v", found)
		}
	}
	checkLog(t, y.Log())
}

// pairs makes mail of words: each as an extension and as a sender.
func pairs(words []string) (list []struct{ ext, sender string }) {
	for n, w := range words {
		other := words[(n+7)%len(words)] + "@" + words[(n+13)%len(words)]
		list = append(list, struct{ ext, sender string }{w, other[:min(len(other), 1000)]})
	}
	return list
}

// TestHostileHomes: whatever a user makes of his home, his mail waits or bounces, the
// mail of others is delivered meanwhile, and nothing is touched that is not his.
func TestHostileHomes(t *testing.T) {
	many := 20_000
	if long {
		many = 1_000_000
	}
	const home = "/mnt/home/joe"
	as := func(script string) func(*testing.T) {
		return func(t *testing.T) {
			joe := site.Account("joe")
			cmd := exec.Command("/bin/sh", "-ec", script)
			cmd.Dir = home
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: joe.UID, Gid: joe.GID}}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}
	}
	root := func(err func() error) func(*testing.T) { return func(t *testing.T) { must(t, err()) } }
	for _, c := range []struct {
		name string
		make func(*testing.T)
		want string // how the delivery ends, or the beginning of its report; nothing when it does not
	}{
		{".qmail is a fifo", as("mkfifo .qmail"), "success"}, // as good as none, and then it is ./Mailbox
		{".qmail is a device", as("ln -s /dev/zero .qmail"), "success"},
		{".qmail is a terminal", as("ln -s /dev/tty .qmail"), "success"},
		{".qmail is a loop", as("ln -s .qmail .qmail"), "success"},
		{".qmail is root's", as("ln -s /etc/shadow .qmail"), "deferral: Unable_to_open_.qmail"},
		{".qmail is a directory", as("mkdir .qmail"), "success"},
		{".qmail has no end", as("truncate -s 1T .qmail"), "deferral: Uh-oh"},
		{".qmail has a million lines", as("yes '#' | head -1000000 >.qmail; echo ./box >>.qmail"), "success"},
		{".qmail has only slashes", as("yes '////' | head -1000 >.qmail"), "deferral: "},
		{"the mailbox is a fifo", as("mkfifo box; echo ./box >.qmail"), "deferral: Unable_to_open_./box"},
		{"the mailbox is a fifo with a reader", as("mkfifo box; echo ./box >.qmail; (timeout 20 cat box >/dev/null 2>&1 &)"), "deferral: "},
		{"the mailbox is a device", as("ln -s /dev/full box; echo ./box >.qmail"), "deferral: "},
		{"the mailbox is root's", as("ln -s /etc/passwd box; echo ./box >.qmail"), "deferral: Unable_to_open_./box"},
		{"the mailbox is ann's", as("ln -s ../ann/.qmail box; echo ./box >.qmail"), "deferral: Unable_to_open_./box"},
		{"the mailbox is in a loop", as("ln -s loop loop; echo ./loop/box >.qmail"), "deferral: "},
		{"the mailbox is locked", as("echo ./box >.qmail; touch box; (flock box sleep 20 >/dev/null 2>&1 &) ; sleep 0.2"), ""},
		{"the maildir is a fifo", as("mkfifo box; echo ./box/ >.qmail"), "deferral: "},
		{"the maildir is the queue", as("ln -s " + site.Home + "/queue box; echo ./box/ >.qmail"), "deferral: "},
		{"the maildir is ann's", as("ln -s ../ann/Maildir box; echo ./box/ >.qmail"), "deferral: "},
		{"new is a loop", as("mkdir -p box/tmp box/cur; ln -s new box/new; echo ./box/ >.qmail"), "deferral: "},
		{"tmp is elsewhere", as("mkdir -p box/new box/cur; ln -s /tmp box/tmp; echo ./box/ >.qmail"), "deferral: "},
		{"the maildir has many files", as(fmt.Sprintf("mkdir -p box/tmp box/new box/cur; cd box/new; seq %d | xargs touch; cd ../..; echo ./box/ >.qmail", many)), "success"},
		{"the home has many files", as(fmt.Sprintf("seq %d | sed 's/^/.qmail-/' | xargs touch; echo ./box >.qmail", many)), "success"},
		{"the home is closed", as("chmod 0 ."), "deferral: "},
		{"the home is everybody's", as("chmod 777 ."), "deferral: Uh-oh"},
		{"the home is a fifo", root(func() error { os.RemoveAll(home); return unix.Mkfifo(home, 0o666) }), "fail"},
		{"the home is a loop", root(func() error { os.RemoveAll(home); return os.Symlink("joe", home) }), "fail"},
		{"the home is a device", root(func() error { os.RemoveAll(home); return os.Symlink("/dev/zero", home) }), "fail"},
		{"the home is not there", root(func() error { return os.RemoveAll(home) }), "fail"},
		{"the home is ann's", root(func() error { os.RemoveAll(home); return os.Symlink("ann", home) }), "fail"},
		{"a program stops its parent", as("echo '|kill -STOP $PPID' >.qmail"), ""},
		{"a program forks", as("echo '|(while :; do sleep 5 & sleep 1; done) >/dev/null 2>&1 & exit 0' >.qmail"), "success"},
		{"a program keeps the report open", as("echo '|sleep 20 & exit 0' >.qmail"), ""},
		{"a program says much", as("echo '|yes | head -c 10000000; exit 0' >.qmail"), "success"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site.New(t)
			s.UserFile("ann", ".qmail", "./Maildir/\n", 0o644)
			maildir := s.Maildir("ann", "Maildir")
			c.make(t)
			passwd, _ := os.ReadFile("/etc/passwd")
			y := s.Up("./Mailbox")
			s.Queue("Subject: for joe\n\n", "", "joe@host.example.org")
			y.WaitLog(`^starting delivery 1: .* to local joe@`)
			s.Queue("Subject: for ann\n\n", "", "ann@host.example.org")
			s.Eventually("ann's mail", func() bool { return len(s.ReadDir(maildir+"/new")) == 1 })
			switch c.want {
			case "": // it goes on and on, and that is joe's own affair
				y.Signal(syscall.SIGKILL)
			case "fail": // his home is not his: qmail-getpw does not know him, and there is no alias
				y.WaitLog(`^delivery 1: (failure|deferral): `)
			default:
				y.WaitLog(`^delivery 1: ` + c.want)
			}
			if now, _ := os.ReadFile("/etc/passwd"); string(now) != string(passwd) || len(s.ReadDir(maildir+"/new")) != 1 || s.Read("/mnt/home/ann/.qmail") != "./Maildir/\n" {
				t.Error("something that is not joe's was touched")
			}
			checkLog(t, y.Log())
		})
	}
}

// TestBounceLoops: mail that can neither be delivered nor returned comes to an end.
func TestBounceLoops(t *testing.T) {
	s := site.New(t)
	must(t, os.WriteFile(site.Home+"/alias/.qmail-postmaster", []byte("|exit 100\n"), 0o644))
	s.UserFile("joe", ".qmail", "&joe\n&nobody@host.example.org\n", 0o644)
	s.UserFile("ann", ".qmail", "|forward ann\n", 0o644)
	s.UserFile("bob", ".qmail", "&bob-list\n", 0o644)
	s.UserFile("bob", ".qmail-list", "&bob\n", 0o644)
	s.UserFile("bob", ".qmail-list-owner", "&bob-list\n", 0o644)
	y := s.Up()
	for _, sender := range []string{"nobody@host.example.org", "joe@host.example.org", "ann@host.example.org", "bob@host.example.org", "", "#@[]", "bob-list-owner@host.example.org", "bob-list-owner-@host.example.org-@[]"} {
		for _, recipient := range []string{"nobody", "joe", "ann", "bob", "bob-list", "postmaster"} {
			s.Queue("Subject: x\n\n", sender, recipient+"@host.example.org")
		}
	}
	y.WaitEmpty()
	if n := strings.Count(y.Log(), "new msg "); n > 48*20 {
		t.Errorf("48 messages have become %d", n)
	} else {
		t.Logf("48 messages have become %d", n)
	}
}

// TestLoopOfTwoHosts: two hosts that send a message back and forth notice; also where
// somebody on the way takes the fields away that it is noticed by.
func TestLoopOfTwoHosts(t *testing.T) {
	s := site.New(t)
	two := "/mnt/two"
	os.RemoveAll(two)
	t.Cleanup(func() { os.RemoveAll(two) })
	configure := func(me, other, port, otherPort string) {
		s.Control("me", me+"\n")
		s.Control("rcpthosts", me+"\n")
		s.Control("smtproutes", other+":127.0.0.1:"+otherPort+"\n")
	}
	s.UserFile("joe", ".qmail", "&bob@b.test\n", 0o644)
	s.UserFile("bob", ".qmail", "&joe@a.test\n", 0o644)
	s.UserFile("joe", ".qmail-strip", "|sed '/^Delivered-To: /d' | qmail-inject -a -f ann@a.test bob-strip@b.test\n", 0o644)
	s.UserFile("bob", ".qmail-strip", "|sed '/^Delivered-To: /d' | qmail-inject -a -f ann@a.test joe-strip@a.test\n", 0o644)
	s.UserFile("ann", ".qmail", "./Maildir/\n", 0o644)
	maildir := s.Maildir("ann", "Maildir")

	// The second host has the same home, in a mount namespace of its own.
	configure("b.test", "a.test", "2602", "2601")
	if out, err := exec.Command("cp", "-a", site.Home, two).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	inTwo := func(command string) *site.System {
		return s.Start(site.Command{Program: "/usr/bin/unshare", Args: []string{"-m", "/bin/sh", "-ec", "mount --bind " + two + " " + site.Home + "; cd /; exec " + command}})
	}
	b := inTwo(site.Home + "/bin/qmail-start ./Mailbox")
	b.WaitLog(`^status: local 0/\d+ remote 0/\d+$`)
	inTwo(site.Home + "/bin/qmail-smtpd -vHa127.0.0.1:2602").WaitLog(`listening on`)
	configure("a.test", "b.test", "2601", "2602")
	a := s.Up()
	s.Start(site.Command{Program: "qmail-smtpd", Args: []string{"-vHa127.0.0.1:2601"}}).WaitLog(`listening on`)

	s.Queue("Subject: there and back\n\n", "ann@a.test", "joe@a.test")
	s.Eventually("a bounce", func() bool { return len(s.ReadDir(maildir+"/new")) == 1 })
	if text := s.ReadDir(maildir + "/new")[0]; !strings.Contains(text, "This message is looping: it already has my Delivered-To line. (#5.4.6)") {
		t.Error(text)
	}
	hops := strings.Count(a.Log()+b.Log(), " to remote ")
	s.Queue("Subject: there and back\n\n", "ann@a.test", "joe-strip@a.test")
	for before := -1; len(s.ReadDir(maildir+"/new")) < 2; { // as long as it moves
		s.Eventually("another hop, or a bounce", func() bool {
			return strings.Count(a.Log()+b.Log(), " to remote ") > before || len(s.ReadDir(maildir+"/new")) == 2
		})
		before = strings.Count(a.Log()+b.Log(), " to remote ")
	}
	if hops != 2+1 && hops != 2 {
		t.Errorf("%d hops until Delivered-To was noticed", hops)
	}
	stripped := strings.Count(a.Log()+b.Log(), " to remote ") - hops
	t.Logf("%d deliveries by SMTP until Received was noticed", stripped)
	if stripped > 102 {
		t.Errorf("that is too many")
	}
	a.WaitEmpty()
}
