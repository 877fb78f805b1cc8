package privileges

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/host/confine"
	"goqmail/internal/integration/site"
)

func needsLandlock(t *testing.T) {
	if confine.Version() < confine.Enough || os.Getenv("GOCOVERDIR") != "" {
		t.Skip("the kernel has no Landlock, or coverage is counted")
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
