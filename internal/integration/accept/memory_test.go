package accept

import (
	"bytes"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"goqmail/internal/integration/site"
)

// TestIdleConnections: a connection that waits costs little memory, also one that
// has sent mail.
func TestIdleConnections(t *testing.T) {
	const most = 12 << 10
	s := open(t)
	y, a := serve(s, "-c1300", "-i0", "-n0")
	connections := func(n int) {
		var clients []*client
		for range n {
			clients = append(clients, greeted(t, a))
		}
		for _, c := range clients {
			c.send("EHLO client", "MAIL FROM:<s@x.test>", "RCPT TO:<r@a.test>")
			c.want("250-.*", "250-.*", "250 .*", "250 ok", "250 ok")
			c.send("RSET")
			c.want("250 .*")
		}
	}
	connections(200)
	before := anonymous(t, s, y.Pid())
	connections(1000)
	if each := (anonymous(t, s, y.Pid()) - before) / 1000; each > most {
		t.Errorf("%d bytes for each idle connection", each)
	} else {
		t.Logf("%d bytes for each idle connection", each)
	}
}

// anonymous is how much memory a process has that is not of its file.
func anonymous(t *testing.T, s *site.Site, pid int) int {
	t.Helper()
	m := regexp.MustCompile(`(?m)^RssAnon:\s+(\d+) kB$`).FindStringSubmatch(s.Read(filepath.Join("/proc", strconv.Itoa(pid), "status")))
	if m == nil {
		t.Fatal("no RssAnon")
	}
	n, _ := strconv.Atoi(m[1])
	return n << 10
}

// small is the memory that any program may take, whatever it is sent, in bytes.
const small = 32 << 20

// endless is what a client says: a beginning, a piece again and again, an end.
func endless(begin, piece string, times int, end string) io.Reader {
	return io.MultiReader(strings.NewReader(begin), &again{piece: piece, left: times}, strings.NewReader(end))
}

type again struct {
	piece, rest string
	left        int
}

func (a *again) Read(p []byte) (int, error) {
	if a.rest == "" {
		if a.left == 0 {
			return 0, io.EOF
		}
		a.rest, a.left = a.piece, a.left-1
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

const (
	toData = "MAIL FROM:<s@x.test>\r\nRCPT TO:<r@a.test>\r\nDATA\r\n"
	toEnd  = ".\r\nQUIT\r\n"
)

var garbage []byte

// TestMaxRSS: what this process has taken is not counted as the program's.
func TestMaxRSS(t *testing.T) {
	s := open(t)
	garbage = bytes.Repeat([]byte("x"), 3*small)
	garbage = nil
	r := s.Run(site.Command{Program: "qmail-smtpd", As: "qmaild"})
	if r.MaxRSS > small || r.MaxRSS == 0 {
		t.Errorf("%d bytes of memory", r.MaxRSS)
	}
}

// TestLarge: what is large takes no memory, in a program for one client and in a
// server.
func TestLarge(t *testing.T) {
	mega := strings.Repeat("0123456789abcdef", 1<<16)
	line := strings.Repeat("x", 70) + "\r\n"
	for _, c := range []struct {
		name    string
		in      io.Reader
		replies string // behind those to commands that are accepted
	}{
		{"1 GiB", endless(toData, strings.Repeat(line, 1000), 1<<30/72000, toEnd), "250 ok # qp #"},
		{"a line of 100 MB", endless(toData, mega, 100, "\r\n"+toEnd), "250 ok # qp #"},
		{"a header line of 100 MB", endless(toData+"Received: ", mega, 100, "\r\n\r\n"+toEnd), "250 ok # qp #"},
		{"100 MB of dots", endless(toData, strings.Repeat(".\r.", 1<<18), 100, "\r\n"+toEnd), "250 ok # qp #"},
		{"a command of 100 MB", endless("", mega, 100, "\r\nQUIT\r\n"), "500 command line too long (#5.5.2)"},
		{"commands of 100 KB", endless("", "MAIL FROM:<"+mega[:100_000]+">\r\n", 500, "QUIT\r\n"), strings.Repeat("555 syntax error (#5.5.4) ", 500)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && c.name == "1 GiB" {
				t.Skip("takes long")
			}
			s := open(t)
			program, _ := scanner(t, s)
			r := s.Run(site.Command{Program: "qmail-smtpd", As: "qmaild", Stdin: c.in, Env: []string{"QMAILQUEUE=" + program}})
			if got := outline(r.Stdout); r.Code != 0 || got != strings.TrimSpace(c.replies) {
				t.Errorf("exit code %d, %q, %q", r.Code, got[:min(len(got), 200)], r.Stderr)
			}
			if r.MaxRSS > small {
				t.Errorf("%d bytes of memory", r.MaxRSS)
			}
		})
	}
}

// outline leaves the usual replies out, and makes numbers to #.
func outline(replies string) string {
	var list []string
	for line := range strings.Lines(replies) {
		switch line = strings.TrimSuffix(line, "\r\n"); {
		case line == "250 ok", strings.HasPrefix(line, "220 "), strings.HasPrefix(line, "221 "), strings.HasPrefix(line, "354 "):
		default:
			list = append(list, regexp.MustCompile(`ok \d+ qp \d+`).ReplaceAllString(line, "ok # qp #"))
		}
	}
	return strings.Join(list, " ")
}

// TestManyRecipients: a million recipients of one message.
func TestManyRecipients(t *testing.T) {
	const n = 1_000_000
	s := open(t)
	in := endless("MAIL FROM:<s@x.test>\r\n", "RCPT TO:<somebody.with.a.long.name@a.test>\r\n", n, "DATA\r\n"+toEnd)
	r := s.Run(site.Command{Program: "qmail-smtpd", As: "qmaild", Stdin: in})
	if got := outline(r.Stdout); r.Code != 0 || got != "250 ok # qp #" {
		t.Errorf("exit code %d, %q, %q", r.Code, got[:min(len(got), 200)], r.Stderr)
	}
	if r.MaxRSS > small {
		t.Errorf("%d bytes of memory", r.MaxRSS)
	}
	todo, _ := filepath.Glob(site.Home + "/queue/todo/*")
	if len(todo) != 1 || strings.Count(s.Read(todo[0]), "Tsomebody.with.a.long.name@a.test\x00") != n {
		t.Errorf("%d messages, or not all recipients", len(todo))
	}
}

// TestServerWithLarge: the same in a server, many at once.
func TestServerWithLarge(t *testing.T) {
	const clients = 8
	s := open(t)
	program, _ := scanner(t, s)
	y := s.Start(site.Command{Program: "qmail-smtpd", Args: []string{"-vHa127.0.0.1:0"}, Env: []string{"QMAILQUEUE=" + program}})
	a := y.WaitLog(`^qmail-smtpd: listening on (\S+)$`)[1]
	done := make(chan string)
	for range clients {
		c := connect(t, a)
		go func() {
			io.Copy(c.conn, endless(toData, strings.Repeat("x", 1<<16), 1000, "\r\n"+toEnd))
			replies, _ := io.ReadAll(c.r)
			done <- outline(string(replies))
		}()
	}
	for range clients {
		if got := <-done; got != "250 ok # qp #" {
			t.Errorf("%q", got)
		}
	}
	m := regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`).FindStringSubmatch(s.Read(filepath.Join("/proc", strconv.Itoa(y.Pid()), "status")))
	if peak, _ := strconv.Atoi(m[1]); peak<<10 > small {
		t.Errorf("%d KB of memory", peak)
	} else {
		t.Logf("%d KB of memory", peak)
	}
}
