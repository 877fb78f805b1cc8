package faults

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"goqmail/internal/integration/site"
)

// The recipients of a message, one for each way that mail can take.
var recipients = map[string]string{
	"maildir": "joe@host.example.org",
	"mbox":    "ann@host.example.org",
	"forward": "bob@host.example.org", // to joe's maildir
	"program": "bob-program@host.example.org",
	"remote":  "kim@far.example",
	"bounce":  "nobody@host.example.org", // to the sender, joe
}

// addresses are those of some recipients.
func addresses(kinds []string) (list []string) {
	for _, k := range kinds {
		list = append(list, recipients[k])
	}
	return list
}

// A ledger knows what has arrived of the message of a run, by recipient.
type ledger struct {
	t    *testing.T
	s    *site.Site
	mu   sync.Mutex
	sunk int  // copies that the host of kim has taken
	busy bool // it takes none for now
}

// newLedger makes the users, and the host of kim.
func newLedger(t *testing.T, s *site.Site) *ledger {
	s.Maildir("joe", "Maildir")
	s.UserFile("ann", ".qmail", "./Mailbox\n", 0o600)
	s.UserFile("bob", ".qmail", "&joe@host.example.org\n", 0o600)
	s.UserFile("bob", ".qmail-program", "|echo $SENDER >>arrived\n", 0o600)
	s.Control("rcpthosts", "host.example.org\n")
	led := &ledger{t: t, s: s}
	s.Control("smtproutes", ":"+site.Listen(t, "127.0.0.2:0", led.sink).Addr().String()+"\n")
	return led
}

// sink takes mail for kim.
func (l *ledger) sink(conn net.Conn) {
	in := bufio.NewScanner(conn)
	io.WriteString(conn, "220 far.example ESMTP\r\n")
	for text := false; in.Scan(); {
		reply := "250 ok"
		switch {
		case text && in.Text() != ".":
			continue
		case text:
			text = false
			reply = l.swallow()
		case in.Text() == "DATA":
			text, reply = true, "354 go on"
		case in.Text() == "QUIT":
			io.WriteString(conn, "221 bye\r\n")
			return
		}
		io.WriteString(conn, reply+"\r\n")
	}
}

// swallow takes a message for kim, or does not.
func (l *ledger) swallow() (reply string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy {
		return "451 later"
	}
	l.sunk++
	return "250 ok"
}

// setBusy has the host of kim take messages or not.
func (l *ledger) setBusy(busy bool) {
	l.mu.Lock()
	l.busy = busy
	l.mu.Unlock()
}

// copies counts what has arrived. A bounce that tells of anybody but nobody is an error.
func (l *ledger) copies() map[string]int {
	got := map[string]int{}
	for _, f := range glob(site.Account("joe").Home + "/Maildir/new/*") {
		text := l.s.Read(f)
		switch {
		case strings.Contains(text, "\nHi. This is the "):
			for _, m := range bounced.FindAllStringSubmatch(text, -1) {
				if m[1] != recipients["bounce"] {
					l.t.Errorf("a bounce that should not be:\n%s", text)
				}
			}
			got["bounce"]++
		case strings.Contains(text, "Delivered-To: bob@"):
			got["forward"]++
		default:
			got["maildir"]++
		}
		if !strings.HasSuffix(text, body) {
			l.t.Errorf("torn: %q", text)
		}
	}
	got["mbox"] = strings.Count(l.s.Read(site.Account("ann").Home+"/Mailbox"), "\n"+body)
	got["program"] = strings.Count(l.s.Read(site.Account("bob").Home+"/arrived"), "\n")
	l.mu.Lock()
	got["remote"] = l.sunk
	l.mu.Unlock()
	return got
}

var bounced = regexp.MustCompile(`(?m)^<(.*)>:$`)

const body = "the last line of the message\n"

// clear makes the mailboxes empty.
func (l *ledger) clear() {
	for _, f := range append(glob(site.Account("joe").Home+"/Maildir/*/*"), site.Account("ann").Home+"/Mailbox", site.Account("bob").Home+"/arrived") {
		os.Remove(f)
	}
	l.mu.Lock()
	l.sunk = 0
	l.mu.Unlock()
}

// waiting lists what is in the queue and waits for somebody: not what a qmail-queue has
// left that was killed, which is removed when it is 36 hours old.
func waiting(s *site.Site) (files []string) {
	for _, f := range s.QueueFiles() {
		switch kind, _, _ := strings.Cut(f, "/"); kind {
		case "mess", "pid", "intd":
		default:
			files = append(files, f)
		}
	}
	return files
}

// emptyQueue removes what is left in the queue.
func emptyQueue(s *site.Site) {
	for _, f := range s.QueueFiles() {
		os.Remove(filepath.Join(site.Home, "queue", f))
	}
}

func glob(pattern string) []string {
	found, _ := filepath.Glob(pattern)
	return found
}

// session is what an SMTP client says that sends a message to some of the recipients.
func session(kinds []string) string {
	text := "EHLO client\r\nMAIL FROM:<joe@host.example.org>\r\n"
	for _, k := range kinds {
		text += "RCPT TO:<" + recipients[k] + ">\r\n"
	}
	return text + "DATA\r\nSubject: x\r\n\r\n" + strings.Replace(body, "\n", "\r\n", 1) + ".\r\nQUIT\r\n"
}

// accepted tells what a session came to: that the message was accepted, or that it was
// refused for good. What comes after a refusal counts for nothing, since the client does
// not wait for replies.
func accepted(replies string) (ok, forGood bool) {
	return acceptance.MatchString(replies), strings.HasPrefix(refusal.FindString(replies), "5")
}

var (
	acceptance = regexp.MustCompile(`(?m)^250 ok \d+ qp \d+\r$`)
	refusal    = regexp.MustCompile(`(?m)^[45]\d\d`)
)

// talk has a session with a listening server, and returns the replies.
func talk(address string, kinds []string) string {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return fmt.Sprint(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	go io.WriteString(conn, session(kinds))
	text, err := io.ReadAll(conn)
	return string(text) + fmt.Sprintln(err)
}

// listens tells whether anybody listens at an address.
func listens(address string) bool {
	_, port, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(port)
	return strings.Contains(tables(), fmt.Sprintf(":%04X 00000000:0000 0A", n))
}

func tables() string {
	text, _ := os.ReadFile("/proc/self/net/tcp")
	return string(text)
}
