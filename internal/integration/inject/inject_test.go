// Package inject runs qmail-inject, sendmail and their companions as processes, in
// surroundings that a caller can give them.
package inject

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/integration/site"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { site.Main(m) }

// todo is how many messages are in the queue.
func todo(t *testing.T) int {
	t.Helper()
	files, err := filepath.Glob(site.Home + "/queue/todo/*")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// as runs a line of the shell as a user, with a message on descriptor 0.
func as(s *site.Site, line, message string, env ...string) site.Result {
	return s.Run(site.Command{Program: "/bin/sh", Args: []string{"-c", line}, As: "ann",
		Env: append(env, "USER=ann"), Stdin: strings.NewReader(message)})
}

// TestClosedDescriptors: a descriptor that is closed is not an empty message, nor a
// place to print one.
func TestClosedDescriptors(t *testing.T) {
	s := site.New(t)
	for _, c := range []struct {
		line   string
		code   int
		stderr string
		queued int
	}{
		{"qmail-inject joe <&-", 111, "qmail-inject: fatal: read error\n", 0},
		{"qmail-inject joe </", 111, "qmail-inject: fatal: read error\n", 0},
		{"qmail-inject joe </dev/null", 0, "", 1},
		{"qmail-inject joe >&-", 0, "", 1},
		{"qmail-inject joe 2>&-", 0, "", 1},
		{"qmail-inject joe >&- 2>&-", 0, "", 1},
		{"qmail-inject -n joe >&-", 111, "qmail-inject: fatal: unable to write: ", 0},
		{"qmail-inject -n joe >/dev/full", 111, "qmail-inject: fatal: unable to write: ", 0},
		{"sendmail joe <&-", 111, "qmail-inject: fatal: read error\n", 0},
		{"sendmail joe >&- 2>&-", 0, "", 1},
		{"datemail joe <&-", 111, "datemail: fatal: unable to copy input: ", 0},
		{"datemail joe >&-", 0, "", 1},
		{"mailsubj hello joe <&-", 111, "mailsubj: fatal: unable to copy input: ", 0},
		{"predate cat <&-", 111, "predate: fatal: unable to copy input: ", 0},
	} {
		before := todo(t)
		r := as(s, c.line, "To: joe\n\nbody\n")
		if n := todo(t) - before; r.Code != c.code || !strings.HasPrefix(r.Stderr, c.stderr) || c.stderr == "" && r.Stderr != "" || n != c.queued {
			t.Errorf("%s: exit code %d, %q, %d messages", c.line, r.Code, r.Stderr, n)
		}
	}
}

// TestInheritance: what stands for qmail-queue finds the caller's umask, environment
// and, through all three programs, the home as its directory.
func TestInheritance(t *testing.T) {
	s := site.New(t)
	const script, out = "/mnt/script", "/mnt/found"
	text := "#!/bin/sh\n{ umask; pwd; echo \"$MARK\"; } >" + out + "\ncat >/dev/null\ncat <&1 >/dev/null\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(script); os.Remove(out) })
	for _, line := range []string{"qmail-inject joe", "sendmail joe", "datemail joe", "mailsubj x joe"} {
		if err := os.WriteFile(out, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(out, 0o666); err != nil {
			t.Fatal(err)
		}
		r := as(s, "umask 035; cd /; exec "+line, "\n", "MARK=it", "QMAILQUEUE="+script)
		if got := s.Read(out); r.Code != 0 || got != "0035\n"+site.Home+"\nit\n" {
			t.Errorf("%s: exit code %d, %s, %q", line, r.Code, r.Stderr, got)
		}
	}
}

// TestWrapped: sendmail, datemail and mailsubj run whatever is in the place of the
// programs they use, and say so when it is not there.
func TestWrapped(t *testing.T) {
	s := site.New(t)
	path := site.Home + "/bin/qmail-inject"
	if err := os.Rename(path, path+".real"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Rename(path+".real", path) })
	for line, want := range map[string]string{
		"sendmail joe":   "sendmail: fatal: unable to run qmail-inject\n",
		"datemail joe":   "sendmail: fatal: unable to run qmail-inject\n",
		"mailsubj x joe": "mailsubj: fatal: unable to run " + path + ": ",
	} {
		if r := as(s, line, "x"); r.Code != 111 || !strings.HasPrefix(r.Stderr, want) {
			t.Errorf("%s: exit code %d, %q", line, r.Code, r.Stderr)
		}
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho \"$@\"\ncat\nexit 7\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"sendmail -t -f x@y joe": "-H -f x@y -- joe\nmessage\n",
		"mailsubj 'a  b' joe":    "\nSubject: a  b\nTo: joe\n\nmessage\n",
	} {
		if r := as(s, line, "message\n"); r.Code != 7 || r.Stdout != want {
			t.Errorf("%s: exit code %d, %q", line, r.Code, r.Stdout)
		}
	}
}

// TestFullTmp: a header for which there is no room is refused for now.
func TestFullTmp(t *testing.T) {
	s := site.New(t)
	tmp := "/mnt/small"
	if err := os.Mkdir(tmp, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("small", tmp, "tmpfs", 0, "mode=1777,size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(tmp, unix.MNT_DETACH); os.Remove(tmp) })
	for size, code := range map[int]int{1 << 19: 0, 1 << 22: 111} {
		for _, before := range []string{"Subject: ", "To: joe (", "Bcc: joe,"} {
			word := strings.Repeat("x", 100) + " "
			message := before + strings.Repeat(word, size/len(word))
			if strings.HasSuffix(before, "(") {
				if code != 0 {
					continue // no comment is as long
				}
				message = before + strings.Repeat(word, 1000) + ")"
			}
			n := todo(t)
			r := as(s, "qmail-inject", message, "TMPDIR="+tmp)
			if r.Code != code || code == 111 && (!strings.HasPrefix(r.Stderr, "qmail-inject: fatal: unable to write temporary file: ") || todo(t) != n) {
				t.Errorf("%s of %d bytes: exit code %d, %s", before, size, r.Code, r.Stderr)
			}
		}
	}
	if names, _ := os.ReadDir(tmp); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

// TestKilled: a message whose program dies half-way is not queued.
func TestKilled(t *testing.T) {
	s := site.New(t)
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGHUP} {
		line := fmt.Sprintf(`mkfifo $HOME/fifo; qmail-inject <$HOME/fifo & p=$!; exec 3>$HOME/fifo; rm $HOME/fifo
			{ echo To: joe; echo; i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done; } >&3
			kill -%d $p; wait $p; echo $?`, signal)
		r := as(s, line, "", "HOME="+site.Account("ann").Home)
		if want := fmt.Sprintln(128 + int(signal)); r.Stdout != want {
			t.Errorf("signal %d: %q %s", signal, r.Stdout, r.Stderr)
		}
	}
	s.Eventually("the end of qmail-queue", func() bool { return len(s.QueueFiles()) == 0 })
	if n := todo(t); n > 0 {
		t.Errorf("%d messages", n)
	}
}
