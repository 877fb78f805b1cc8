package privileges

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/deliver/remote"
	"goqmail/internal/dispatch/clean"
	"goqmail/internal/host/confine"
	"goqmail/internal/host/privilege"
	"goqmail/internal/integration/site"
)

func needsLandlock(t *testing.T) {
	if confine.Version() < confine.Enough || os.Getenv("GOCOVERDIR") != "" {
		t.Skip("the kernel has no Landlock, or coverage is counted")
	}
}

// confinedPrograms are those that give something up, or have it given up for them.
var confinedPrograms = []string{"qmail-clean", "qmail-remote", "qmail-send", "qmail-smtpd"}

// become makes an intruder of this process who has taken over one of them.
func become(program string) {
	confined = true
	var err error
	switch program {
	case "qmail-clean":
		err = errors.Join(privilege.Drop("qmailq"), confine.Self(clean.Files(site.Home+"/queue")...))
	case "qmail-remote":
		err = errors.Join(privilege.Drop("qmailr"), confine.Self(remote.Files(site.Home)...))
	case "qmail-send":
		err = errors.Join(confine.Heirs(confine.WithQueue(site.Home)...), privilege.Drop("qmails"))
	case "qmail-smtpd": // as a server with -C
		err = errors.Join(confine.Heirs(confine.WithQueue(site.Home)...), privilege.Drop("qmaild"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// checkNoNewPrivs wants all threads of a program to have given set-uid programs up, which
// goes before the rest.
func checkNoNewPrivs(t *testing.T, s *site.Site, program string) {
	t.Helper()
	n := 0
	threads, _ := filepath.Glob("/proc/[0-9]*/task/*/status")
	for _, file := range threads {
		text, _ := os.ReadFile(file)
		exe, _ := os.Readlink(filepath.Join(filepath.Dir(file), "exe"))
		if exe != site.Home+"/bin/"+program {
			continue
		}
		n++
		if !strings.Contains(string(text), "NoNewPrivs:\t1\n") {
			t.Errorf("%s:\n%s", program, text)
		}
	}
	if n == 0 {
		t.Errorf("%s does not run", program)
	}
}

// TestConfinedRemote: a qmail-remote that is kept open reads a link in control that was
// there at its start, wherever that leads, but no file that somebody has it read later on.
func TestConfinedRemote(t *testing.T) {
	s := site.New(t)
	needsLandlock(t)
	k := newSink(t, "127.0.0.1:2526")
	hang, err := net.Listen("tcp", "127.0.0.1:2527")
	must(t, err)
	defer hang.Close()
	for _, dir := range []string{"/mnt/elsewhere", "/mnt/secret"} {
		must(t, os.Mkdir(dir, 0o755))
		t.Cleanup(func() { os.RemoveAll(dir) })
		must(t, os.WriteFile(dir+"/routes", []byte("hang.test:127.0.0.1:2527\n:127.0.0.1:2526\n"), 0o644))
	}
	link := func(to string) {
		must(t, os.Symlink(to, site.Home+"/control/new"))
		must(t, os.Rename(site.Home+"/control/new", site.Home+"/control/smtproutes"))
	}
	link("/mnt/elsewhere/routes")
	y := s.Up()
	s.Queue("Subject: hangs\n\n", "s@x.test", "r@hang.test") // so that the process stays
	conn, err := hang.Accept()
	must(t, err)
	defer conn.Close()
	s.Queue("Subject: goes\n\n", "s@x.test", "r@far.test")
	y.WaitLog(`^delivery 2: success: `)
	checkNoNewPrivs(t, s, "qmail-remote")
	link("/mnt/secret/routes")
	s.Queue("Subject: waits\n\n", "s@x.test", "r@far.test")
	y.WaitLog(`^delivery 3: deferral: .*control`)
	if n := len(k.take()); n != 1 {
		t.Errorf("%d messages were sent", n)
	}
}

// TestConfinedForAnybody: a user who may not enter the queue can run qmail-remote.
func TestConfinedForAnybody(t *testing.T) {
	s := site.New(t)
	newSink(t, "127.0.0.1:2526")
	s.Control("smtproutes", ":127.0.0.1:2526\n")
	r := s.Run(site.Command{Program: "qmail-remote", As: "bob", Args: []string{"far.test", "s@x.test", "r@far.test"}, Stdin: strings.NewReader("x\n")})
	if r.Code != 0 || !strings.HasPrefix(r.Stdout, "r\x00K127.0.0.1 accepted message.") {
		t.Errorf("exit code %d, %q, %q", r.Code, r.Stdout, r.Stderr)
	}
}

// TestConfinedClean: qmail-clean removes messages, and nothing where somebody has put
// something else in the place of the queue's directories.
func TestConfinedClean(t *testing.T) {
	s := site.New(t)
	needsLandlock(t)
	stdin, requests, err := os.Pipe()
	must(t, err)
	defer requests.Close()
	s.Queue("x\n", "s@x.test", "r@y.test")
	number := filepath.Base(s.QueueFiles()[0])
	y := s.Start(site.Command{Program: "qmail-clean", As: "qmailq", Stdin: stdin})
	stdin.Close()
	io.WriteString(requests, "todo/"+number+"\x00")
	s.Eventually("an answer", func() bool { return y.Log() == "+" })
	checkNoNewPrivs(t, s, "qmail-clean")

	must(t, os.Rename(site.Home+"/queue/todo", site.Home+"/queue/todo.old"))
	must(t, os.Mkdir("/mnt/victim", 0o777))
	defer os.RemoveAll("/mnt/victim")
	must(t, os.Chmod("/mnt/victim", 0o777))
	must(t, os.WriteFile("/mnt/victim/"+number, nil, 0o666))
	must(t, os.Symlink("/mnt/victim", site.Home+"/queue/todo"))
	io.WriteString(requests, "todo/"+number+"\x00")
	s.Eventually("an answer", func() bool { return y.Log() == "+!" })
	if _, err := os.Stat("/mnt/victim/" + number); err != nil {
		t.Error(err)
	}
}

// TestConfinedSend: qmail-send sends bounces through a qmail-queue that has less than its
// user has, and writes nothing where somebody has put something else in the place of a
// directory of the queue.
func TestConfinedSend(t *testing.T) {
	s := site.New(t)
	needsLandlock(t)
	s.UserFile("joe", ".qmail-never", "|echo no; exit 100\n", 0o644)
	s.UserFile("ann", ".qmail", "./Mailbox\n", 0o644)
	s.Control("locals", "host.example.org\n")
	y := s.Up()
	s.Queue("Subject: returns\n\n", "ann@host.example.org", "joe-never@host.example.org")
	y.WaitEmpty()
	if text := s.Read(site.Account("ann").Home + "/Mailbox"); !strings.Contains(text, "Subject: returns") {
		t.Fatalf("no bounce: %s", y.Log())
	}

	must(t, os.Mkdir("/mnt/victim", 0o777))
	defer os.RemoveAll("/mnt/victim")
	must(t, os.Chmod("/mnt/victim", 0o777))
	must(t, os.Rename(site.Home+"/queue/bounce", site.Home+"/queue/bounce.old"))
	must(t, os.Symlink("/mnt/victim", site.Home+"/queue/bounce"))
	s.Queue("Subject: stays\n\n", "ann@host.example.org", "joe-never@host.example.org")
	y.WaitLog(`^(alert|warning): .*bounce`)
	if names, _ := os.ReadDir("/mnt/victim"); len(names) > 0 {
		t.Errorf("%v", names)
	}
}

// TestNotConfined: a qmail-queue of somebody else's, in the environment or in the place of
// ours, has what its user has.
func TestNotConfined(t *testing.T) {
	for _, place := range []string{"/mnt/scanner", site.Home + "/bin/qmail-queue"} {
		s := site.New(t)
		s.UserFile("joe", ".qmail-never", "|echo no; exit 100\n", 0o644)
		var env []string
		if place == "/mnt/scanner" {
			env = []string{"QMAILQUEUE=" + place}
		} else {
			s.Queue("Subject: returns\n\n", "ann@host.example.org", "joe-never@host.example.org")
			must(t, os.Remove(place))
			t.Cleanup(s.Install)
		}
		must(t, os.WriteFile(place, []byte("#!/bin/sh\ncat >/tmp/scanned.$$; cat <&1 >/dev/null; mv /tmp/scanned.$$ /tmp/scanned\n"), 0o755))
		y := s.Start(site.Command{Program: "qmail-start", Args: []string{"./Mailbox"}, Env: env})
		if env != nil {
			s.Queue("Subject: returns\n\n", "ann@host.example.org", "joe-never@host.example.org")
		}
		y.WaitEmpty()
		s.Eventually("the bounce", func() bool { return strings.Contains(s.Read("/tmp/scanned"), "Subject: returns") })
		must(t, os.Remove("/tmp/scanned"))
		os.Remove("/mnt/scanner")
	}
}

// TestConfinedServer: with -C a server takes mail as ever, by a qmail-queue that is kept and
// by one for each message, and a program that a rule has put in the place of that does not
// run.
func TestConfinedServer(t *testing.T) {
	s := site.New(t)
	needsLandlock(t)
	for _, residence := range []string{"1\n", "0\n"} {
		s.Control("residence", residence)
		y := s.Start(site.Command{Program: "qmail-smtpd", Args: []string{"-CvHa127.0.0.1:0"}})
		a := y.WaitLog(`^qmail-smtpd: listening on (\S+)$`)[1]
		if got := mail(t, a, strings.Repeat("RCPT TO:<r@a.test>\r\n", 60_000)); !strings.Contains(got, "\r\n250 ok ") || !strings.Contains(got, " qp ") {
			t.Errorf("%.1000q: %s", got[max(0, len(got)-1000):], y.Log())
		}
		y.Signal(syscall.SIGTERM)
		y.Wait()
	}
	must(t, os.WriteFile("/mnt/scanner", []byte("#!/bin/sh\nexit 0\n"), 0o755))
	defer os.Remove("/mnt/scanner")
	y := s.Start(site.Command{Program: "qmail-smtpd", Args: []string{"-CvHa127.0.0.1:0"}, Env: []string{"QMAILQUEUE=/mnt/scanner"}})
	a := y.WaitLog(`^qmail-smtpd: listening on (\S+)$`)[1]
	if got := mail(t, a, "RCPT TO:<r@a.test>\r\n"); !strings.Contains(got, "451 unable to exec qq") {
		t.Errorf("%q", got)
	}
	r := s.Run(site.Command{Program: "qmail-smtpd", As: "qmaild", Args: []string{"-CX", "-a127.0.0.1:99999"}})
	if r.Code != 100 {
		t.Errorf("exit code %d", r.Code)
	}
	y = s.Start(site.Command{Program: "qmail-smtpd", As: "qmaild", Args: []string{"-Ca127.0.0.1:0"}})
	y.WaitLog(`^qmail-smtpd: warning: -C: this kernel does not confine processes, or this is not root$`)
}

// mail sends a message and returns the replies.
func mail(t *testing.T, to, recipients string) string {
	t.Helper()
	conn, err := net.Dial("tcp", to)
	must(t, err)
	defer conn.Close()
	go io.WriteString(conn, "MAIL FROM:<s@x.test>\r\n"+recipients+"DATA\r\nSubject: x\r\n.\r\nQUIT\r\n")
	replies, err := io.ReadAll(conn)
	must(t, err)
	return string(replies)
}
