package clients

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"goqmail/internal/integration/site"
)

// remoteHost is an SMTP server on port 2600 that knows the users "good" and "sue", is
// too busy for "busy", and knows nobody else.
func remoteHost(t *testing.T) {
	t.Helper()
	site.Listen(t, "127.0.0.1:2600", smtpSession)
}

func smtpSession(c net.Conn) {
	io.WriteString(c, "220 remote.example\r\n")
	data := false
	for lines := bufio.NewScanner(c); lines.Scan(); {
		reply := "250 ok"
		switch line := lines.Text(); {
		case data && line != ".":
			continue
		case data:
			data = false
		case line == "DATA":
			data, reply = true, "354 go ahead"
		case strings.Contains(line, "TO:<busy@"):
			reply = "451 later"
		case strings.Contains(line, "TO:<") && !strings.Contains(line, "TO:<good@") && !strings.Contains(line, "TO:<sue@"):
			reply = "550 no such user"
		}
		io.WriteString(c, reply+"\r\n")
	}
}

// TestLogwatch: logwatch's script for qmail, with everything switched on, finds all
// that is to be found in our log, and nothing that it does not know.
func TestLogwatch(t *testing.T) {
	tool(t, "logwatch")
	perl := tool(t, "perl")
	s := site.New(t)
	s.Maildir("joe", "Maildir")
	s.Control("smtproutes", "remote.example:127.0.0.1:2600\n")
	remoteHost(t)
	y := s.Up("./Maildir/")
	s.Queue("Subject: hi\n\n", "sue@remote.example", "joe@host.example.org")
	s.Queue("Subject: hi\n\n", "joe@host.example.org", "joe@host.example.org", "good@remote.example", "bad@remote.example", "nobody@host.example.org")
	y.WaitEmpty()
	s.Queue("Subject: hi\n\n", "joe@host.example.org", "busy@remote.example")
	y.WaitLog(": deferral: ")
	y.Stop()

	cmd := exec.Command(perl, "/usr/share/logwatch/scripts/services/qmail")
	cmd.Env = append(os.Environ(), "qmail_high_detail=1", "threshold=0", "remote_threshold=", "local_threshold=", "from_threshold=", "LC_ALL=C")
	cmd.Stdin = strings.NewReader(y.Log())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"\tsue@remote.example - 1 Time(s)\n",
		"\tjoe@host.example.org - 2 Time(s)\n",  // sent by
		"\t - 1 Time(s)\n",                      // the bounce
		"\tgood@remote.example - 1 Time(s)\n",   // to remote
		"\tbad@remote.example - 1 Time(s)\n",    //
		"\tbusy@remote.example - 1 Time(s)\n",   //
		"\tjoe@host.example.org - 3 Time(s)\n",  // to local
		"\tnobody@host.example.org - 1 Time(s)", //
		"\tDeferral(451) - 1 Time(s)\n",
		"\tFailure(511) - 1 Time(s)\n", // no mailbox here
		"\tFailure(550) - 1 Time(s)\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q", want)
		}
	}
	if _, unmatched, found := strings.Cut(string(out), "**Unmatched Entries**\n"); found && unmatched != "exiting\n" && unmatched != "running\nexiting\n" {
		t.Errorf("unmatched:\n%s", unmatched)
	}
	if t.Failed() {
		t.Logf("%s\n%s", out, y.Log())
	}
}

// TestFail2ban: the filters that we offer find the clients that guess passwords, in
// the log as tcpserver and the programs below it write it, and nobody else.
func TestFail2ban(t *testing.T) {
	fail2ban := tool(t, "fail2ban-regex")
	filters, err := filepath.Glob("../../../conf-templates/fail2ban/filter.d/*.conf")
	must(t, err)
	if len(filters) == 0 {
		t.Skip("there are no filters in conf-templates/fail2ban/filter.d")
	}
	s := site.New(t)
	s.Maildir("joe", "Maildir")
	y := servePOP(t, s)
	for _, login := range []string{
		"USER joe@host.example.org\r\nPASS wrong\r\n",
		"USER joe@host.example.org\r\nPASS secret\r\nQUIT\r\n",
		"USER fred\r\nPASS secret\r\n",
		"USER x client 192.0.2.1 user \"y\": authorization failed: exit code 1\r\nPASS x\r\n",
		"APOP joe@host.example.org 0123456789abcdef0123456789abcdef\r\n",
		"QUIT\r\n",
	} {
		c, err := net.Dial("tcp", "127.0.0.1:1100")
		must(t, err)
		io.WriteString(c, login)
		io.ReadAll(c)
		c.Close()
	}
	const failures = 4
	s.Eventually("the log", func() bool { return strings.Count(y.Log(), "authorization failed") >= failures })
	log := filepath.Join("/mnt", "pop.log")
	var stamped strings.Builder
	for line := range strings.Lines(y.Log()) {
		fmt.Fprintf(&stamped, "Nov 27 12:00:00 host qmail-popup: %s", line)
	}
	must(t, os.WriteFile(log, []byte(stamped.String()), 0o644))

	matched := map[string]int{}
	for _, filter := range filters {
		out, err := exec.Command(fail2ban, "-c", os.Getenv(peersVariable)+"/etc/fail2ban", "--print-all-matched", log, filter).CombinedOutput()
		// Where nothing matches the exit code says so.
		if _, exited := err.(*exec.ExitError); err != nil && !exited {
			t.Fatalf("%s: %v", filter, err)
		}
		if m := regexp.MustCompile(`(?m)^Lines: \d+ lines, \d+ ignored, (\d+) matched`).FindSubmatch(out); m != nil {
			var n int
			fmt.Sscan(string(m[1]), &n)
			matched[filepath.Base(filter)] = n
			if n > 0 && strings.Contains(string(out), "192.0.2.1") && !strings.Contains(string(out), "127.0.0.1") {
				t.Errorf("%s finds a forged address:\n%s", filter, out)
			}
		} else {
			t.Errorf("%s:\n%s", filter, out)
		}
	}
	found := 0
	for _, n := range matched {
		found = max(found, n)
	}
	if found != failures {
		t.Errorf("matched %v of %d failures in\n%s", matched, failures, stamped.String())
	}
}
