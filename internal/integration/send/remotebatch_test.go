package send

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"goqmail/internal/integration/site"
)

// A transaction is what an SMTP server was told about one message.
type transaction struct {
	sender     string
	recipients []string // that it has accepted
}

// An smtpServer answers as the names of recipients tell it to, and writes down its
// transactions.
type smtpServer struct {
	mu           sync.Mutex
	transactions []transaction
}

// startSMTPServer makes one to which all remote mail goes.
func startSMTPServer(t *testing.T, s *site.Site) *smtpServer {
	t.Helper()
	server := new(smtpServer)
	s.Control("smtproutes", ":"+site.Listen(t, "127.0.0.2:0", server.talk).Addr().String()+"\n")
	return server
}

func (s *smtpServer) talk(conn net.Conn) {
	in := bufio.NewReader(conn)
	say := func(line string) { io.WriteString(conn, line+"\r\n") }
	say("220 server ESMTP")
	var current transaction
	anyNamed := func(name string) bool { return strings.Contains(strings.Join(current.recipients, " "), name) }
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		_, address, _ := strings.Cut(line, "<")
		address, _, _ = strings.Cut(address, ">")
		switch verb, _, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " "); verb {
		case "EHLO":
			say("250-server\r\n250 PIPELINING")
		case "MAIL":
			current = transaction{sender: address}
			if address == "unwanted@host.example.org" {
				say("550 no sender")
			} else {
				say("250 sender")
			}
		case "RCPT":
			switch {
			case strings.HasPrefix(address, "never"):
				say("550 never")
			case strings.HasPrefix(address, "later"):
				say("450 later")
			default:
				current.recipients = append(current.recipients, address)
				say("250 recipient")
			}
		case "DATA":
			if anyNamed("nodata") {
				say("451 no data")
				continue
			}
			if len(current.recipients) == 0 {
				say("503 for whom")
				continue
			}
			say("354 go on")
			for line != ".\r\n" {
				if line, err = in.ReadString('\n'); err != nil {
					return
				}
			}
			s.mu.Lock()
			s.transactions = append(s.transactions, current)
			s.mu.Unlock()
			if anyNamed("lost") {
				return
			}
			say("250 accepted")
		case "QUIT":
			return
		default:
			say("502 what")
		}
	}
}

// taken returns the transactions so far, and forgets them.
func (s *smtpServer) taken() []transaction {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.transactions
	s.transactions = nil
	return list
}

func far(names ...string) (list []string) {
	for i, n := range names {
		list = append(list, fmt.Sprintf("%s@host%d.example", n, i))
	}
	return list
}

// batching is a system that puts ten recipients together.
func batching(t *testing.T) (*site.Site, *smtpServer, *site.System) {
	s := site.New(t)
	server := startSMTPServer(t, s)
	s.Control("remotebatch", "10\n")
	s.Control("concurrencyremote", "100\n")
	return s, server, s.Up("./Maildir/")
}

// outcomes counts the lines "delivery N: OUTCOME: ..." of the record whose text matches,
// and sees to it that each delivery which was started has one.
func outcomes(t *testing.T, y *site.System, outcome, text string) int {
	t.Helper()
	started := regexp.MustCompile(`(?m)^starting delivery (\d+): msg \d+ to remote `).FindAllStringSubmatch(y.Log(), -1)
	for _, m := range started {
		if n := strings.Count(y.Log(), "\ndelivery "+m[1]+": "); n != 1 {
			t.Errorf("delivery %s has %d outcomes", m[1], n)
		}
	}
	return len(regexp.MustCompile(`(?m)^delivery \d+: `+outcome+`: .*`+text).FindAllString(y.Log(), -1))
}

func waitOutcomes(t *testing.T, s *site.Site, y *site.System, n int) {
	t.Helper()
	s.Eventually("outcomes", func() bool { return strings.Count("\n"+y.Log(), "\ndelivery ") >= n })
}

// TestRecipientsTogether: recipients get a message in a few transactions. Each has his
// own lines in the record, bounce, and further attempts, which go alone.
func TestRecipientsTogether(t *testing.T) {
	s, server, y := batching(t)
	dir := s.Maildir("joe", "Maildir")
	var names []string
	for i := range 25 {
		names = append(names, fmt.Sprint("a", i))
	}
	names = append(names, "never1", "later1", "never2", "later2", "later3")
	s.Queue("Subject: x\n\nbody\n", "joe@host.example.org", far(names...)...)
	waitOutcomes(t, s, y, len(names))
	got := server.taken()
	accepted := 0
	for _, tr := range got {
		accepted += len(tr.recipients)
		if len(tr.recipients) > 10 || tr.sender != "joe@host.example.org" {
			t.Errorf("%+v", tr)
		}
	}
	if accepted != 25 || len(got) > 5 {
		t.Errorf("%d accepted in %d transactions", accepted, len(got))
	}
	if n := outcomes(t, y, "success", "127.0.0.2_accepted_message./Remote_host_said:_250_accepted/$"); n != 25 {
		t.Errorf("%d successes:\n%s", n, y.Log())
	}
	if n := outcomes(t, y, "failure", "127.0.0.2_does_not_like_recipient./Remote_host_said:_550_never/$"); n != 2 {
		t.Errorf("%d failures:\n%s", n, y.Log())
	}
	if n := outcomes(t, y, "deferral", "127.0.0.2_does_not_like_recipient./Remote_host_said:_450_later/"); n != 3 {
		t.Errorf("%d deferrals:\n%s", n, y.Log())
	}

	// What was deferred goes alone.
	y.Signal(syscall.SIGALRM)
	waitOutcomes(t, s, y, len(names)+3)
	if n := outcomes(t, y, "deferral", "450_later/Giving_up_on_127.0.0.2./$"); n < 3 {
		t.Errorf("%d deferrals of those alone:\n%s", n, y.Log())
	}
	s.Control("queuelifetime", "0\n")
	y.Stop()
	y = s.Up("./Maildir/")
	s.Eventually("the bounce", func() bool { // at an attempt when the message is a second old
		y.Signal(syscall.SIGALRM)
		return len(s.ReadDir(dir+"/new")) == 1
	})
	bounce := s.ReadDir(dir + "/new")[0]
	for _, i := range []int{25, 26, 27, 28, 29} {
		if strings.Count(bounce, "\n<"+far(names...)[i]+">:\n127.0.0.2 does not like recipient.\n") != 1 {
			t.Errorf("%s is not in\n%s", far(names...)[i], bounce)
		}
	}
	if n := strings.Count(bounce, "\n<"); n != 5 || strings.Count(bounce, "I'm not going to try again") != 3 {
		t.Errorf("%d recipients in\n%s", n, bounce)
	}
	y.WaitEmpty()
}

// TestMessageRefusedTogether: what becomes of a message becomes of each recipient.
func TestMessageRefusedTogether(t *testing.T) {
	for _, c := range []struct {
		name, sender string
		recipients   []string
		outcome      string
		text         string
		transactions int // that reach the end of the text
		alone        int // in the next attempt
	}{
		{"DATA refused", "", []string{"nodata", "a", "b"}, "deferral", "failed_on_DATA_command./Remote_host_said:_451_no_data/$", 0, 2},
		{"lost after the text", "", []string{"lost", "a", "b"}, "deferral", "connection_died._Possible_duplicate!_", 1, 3},
		{"sender refused", "unwanted@host.example.org", []string{"a", "b", "c"}, "failure", "sender_was_rejected./Remote_host_said:_550_no_sender/$", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, server, y := batching(t)
			s.Maildir("joe", "Maildir")
			s.UserFile("joe", ".qmail-default", "./Maildir/\n", 0o600)
			s.Queue("Subject: x\n\nbody\n", c.sender, far(c.recipients...)...)
			waitOutcomes(t, s, y, 3)
			if n := outcomes(t, y, c.outcome, c.text); n != 3 {
				t.Errorf("%d:\n%s", n, y.Log())
			}
			if got := server.taken(); len(got) != c.transactions {
				t.Errorf("%+v", got)
			}
			if c.outcome == "failure" {
				return
			}
			y.Signal(syscall.SIGALRM)
			waitOutcomes(t, s, y, 6)
			got := server.taken()
			for _, tr := range got {
				if len(tr.recipients) != 1 {
					t.Errorf("%+v", tr)
				}
			}
			if len(got) != c.alone {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestVariableSenders: recipients with senders of their own are never put together.
func TestVariableSenders(t *testing.T) {
	s, server, y := batching(t)
	s.Queue("Subject: x\n\nbody\n", "list-@host.example.org-@[]", far("a", "b", "c", "d")...)
	y.WaitEmpty()
	got := server.taken()
	for _, tr := range got {
		if len(tr.recipients) != 1 || tr.sender != "list-"+strings.Replace(tr.recipients[0], "@", "=", 1)+"@host.example.org" {
			t.Errorf("%+v", tr)
		}
	}
	if len(got) != 4 {
		t.Errorf("%d transactions", len(got))
	}
}

// TestTogetherOnlyByOurOwn: a script in the place of qmail-remote, and one that is run for
// each delivery, get one recipient at a time.
func TestTogetherOnlyByOurOwn(t *testing.T) {
	for _, c := range []string{"a script", "no residence"} {
		t.Run(c, func(t *testing.T) {
			s, server, y := batching(t)
			if c == "a script" {
				program := site.Home + "/bin/qmail-remote"
				must(t, os.Rename(program, program+".real"))
				defer os.Rename(program+".real", program)
				must(t, os.WriteFile(program, []byte("#!/bin/sh\n[ $# = 3 ] && exec "+program+".real \"$@\"\n"), 0o755))
			} else {
				y.Stop()
				s.Control("residence", "0\n")
				y = s.Up("./Maildir/")
			}
			s.Queue("Subject: x\n\nbody\n", "", far("a", "b", "c")...)
			y.WaitEmpty()
			waitOutcomes(t, s, y, 3) // the log may be read later than the queue
			if n := outcomes(t, y, "success", "accepted_message"); n != 3 || len(server.taken()) != 3 {
				t.Errorf("%d:\n%s", n, y.Log())
			}
		})
	}
}
