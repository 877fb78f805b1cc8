package spawn

import (
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/integration/site"
)

// TestGarbage: a qmail-send that is not itself gets no more than reports.
func TestGarbage(t *testing.T) {
	s := site.New(t)
	s.UserFile("joe", ".qmail", "#\n", 0o600)
	y := start(t, s)
	go io.Copy(io.Discard, y.out)
	rnd := rand.New(rand.NewSource(1))
	pieces := []string{"\x00", "\x01", "\x77", "\x78", "\xff", message, "7/101", "../../etc/passwd", "/etc/passwd", "joe@h", "joe", "@h", "root@h", "../joe@h", strings.Repeat("x", 200000), "-@h", strings.Repeat("-", 1000) + "@h"}
	for range 20000 {
		if _, err := y.in.WriteString(pieces[rnd.Intn(len(pieces))] + "\x00"[:rnd.Intn(2)]); err != nil {
			t.Fatal(err)
		}
	}
	y.end()
}

// TestFewDescriptors: with few descriptors deliveries are deferred, not lost, and
// work again.
func TestFewDescriptors(t *testing.T) {
	s := site.New(t)
	s.UserFile("joe", ".qmail", "|cat /mnt/home/joe/gate\n", 0o600)
	gate := "/mnt/home/joe/gate"
	must(t, syscall.Mkfifo(gate, 0o666))
	must(t, os.Chmod(gate, 0o666))
	y := startAfter(t, s, "ulimit -n 24")
	n := y.limit
	for range n {
		y.send("joe")
	}
	done := make(chan bool)
	go func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if f, err := os.OpenFile(gate, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
				f.Close()
			}
		}
	}()
	for range n {
		if r := y.report(); !strings.HasPrefix(r.Text, "K") && !strings.HasPrefix(r.Text, "Z") {
			t.Errorf("%q", r.Text)
		}
	}
	close(done)
	y.end()
}

// TestSurroundings: what qmail-lspawn and qmail-rspawn, qmail-getpw and those who
// make tables say when they are called wrongly or find nothing that they need.
func TestSurroundings(t *testing.T) {
	noQueue := func(s *site.Site) { os.RemoveAll(site.Home + "/queue") }
	dir := func(name string) func(*site.Site) {
		return func(*site.Site) { os.MkdirAll(filepath.Join(site.Home, name), 0o755) }
	}
	for _, c := range []struct {
		name    string
		program string
		args    []string
		spoil   func(*site.Site)
		code    int
		stderr  string // the beginning
	}{
		{"no default delivery", "qmail-lspawn", nil, nil, 100, "qmail-lspawn: usage: qmail-lspawn defaultdelivery\n"},
		{"only the width", "qmail-lspawn", []string{"wide"}, nil, 100, "qmail-lspawn: usage: "},
		{"no queue", "qmail-lspawn", []string{"#"}, noQueue, 111, "qmail-lspawn: fatal: stat /mnt/qmail/queue/mess/.: "},
		{"no queue", "qmail-rspawn", nil, noQueue, 111, "qmail-rspawn: fatal: chdir /mnt/qmail/queue/mess: "},
		{"residence is a directory", "qmail-lspawn", []string{"#"}, dir("control/residence"), 111, "qmail-lspawn: fatal: unable to read "},
		{"spawnlimit is a directory", "qmail-rspawn", nil, dir("control/spawnlimit"), 111, "qmail-rspawn: fatal: unable to read "},
		{"residence is binary", "qmail-lspawn", []string{"#"}, func(s *site.Site) { s.Control("residence", "\xff\x00\x01") }, 0, ""},
		{"spawnlimit is huge", "qmail-lspawn", []string{"#"}, func(s *site.Site) { s.Control("spawnlimit", strings.Repeat("9", 1000)) }, 0, ""},
		{"spawnlimit is 0", "qmail-lspawn", []string{"#"}, func(s *site.Site) { s.Control("spawnlimit", "0\n") }, 0, ""},
		{"no address", "qmail-getpw", nil, nil, 100, "qmail-getpw: usage: qmail-getpw local\n"},
		{"the argument of residence, by hand", "qmail-getpw", []string{"--resident"}, nil, 0, ""},
		{"the argument of residence, by hand", "qmail-local", []string{"--resident"}, nil, 100, "qmail-local: usage: "},
		{"no users/assign", "qmail-newu", nil, nil, 111, "qmail-newu: fatal: unable to open users/assign\n"},
		{"no morercpthosts", "qmail-newmrh", nil, nil, 111, "qmail-newmrh: fatal: unable to read control/morercpthosts: file does not exist\n"},
		{"an unknown option", "qmail-pw2u", []string{"-Hx"}, nil, 100, "qmail-pw2u: illegal option -- x\n"},
		{"an option without its value", "qmail-pw2u", []string{"-c"}, nil, 100, "qmail-pw2u: option requires an argument -- c\n"},
		{"nothing to read", "qmail-pw2u", nil, nil, 111, "qmail-pw2u: fatal: unable to find alias user\n"},
	} {
		t.Run(c.program+": "+c.name, func(t *testing.T) {
			s := site.New(t)
			if c.spoil != nil {
				c.spoil(s)
			}
			r := s.Run(site.Command{Program: c.program, Args: c.args, Stdin: strings.NewReader("")})
			if r.Code != c.code || r.Signal != 0 || !strings.HasPrefix(r.Stderr, c.stderr) || c.stderr == "" && r.Stderr != "" {
				t.Errorf("exit code %d, signal %v: %q", r.Code, r.Signal, r.Stderr)
			}
		})
	}
}
