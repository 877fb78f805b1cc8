package kills

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
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/integration/site"
)

const logFile = "/mnt/log"

// prepare makes the users: joe has a maildir, ann forwards to him.
func prepare(t *testing.T, s *site.Site) {
	s.Maildir("joe", "Maildir")
	s.UserFile("ann", ".qmail", "&joe@host.example.org\n", 0o600)
	s.Control("remotebatch", "10\n")
	s.Control("concurrencyhost", "5\n")
	s.Control("concurrencyremote", "50\n")
}

// A supervised program is started again when it ends.
type supervised struct {
	mu      sync.Mutex
	cmd     *exec.Cmd
	starts  int
	stopped bool
	done    chan struct{}
}

// supervise keeps a program running, until the test ends.
func supervise(t *testing.T, program string, args ...string) *supervised {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	p := &supervised{done: make(chan struct{})}
	go func() {
		defer close(p.done)
		defer log.Close()
		for {
			cmd := exec.Command(filepath.Join(site.Home, "bin", program), args...)
			cmd.Env = []string{"PATH=" + site.Home + "/bin:/usr/bin:/bin"}
			if dir := os.Getenv("GOCOVERDIR"); dir != "" {
				cmd.Env = append(cmd.Env, "GOCOVERDIR="+dir)
			}
			cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
			p.mu.Lock()
			if p.stopped || cmd.Start() != nil {
				p.mu.Unlock()
				return
			}
			p.cmd = cmd
			p.starts++
			p.mu.Unlock()
			cmd.Wait()
			time.Sleep(50 * time.Millisecond)
		}
	}()
	t.Cleanup(p.stop)
	return p
}

func (p *supervised) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		p.cmd.Process.Signal(sig)
	}
}

// started tells how often the program was started.
func (p *supervised) started() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.starts
}

func (p *supervised) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.signal(syscall.SIGTERM)
	<-p.done
}

// Work is the mail that is sent, and what has become of it. A message has a number, and
// three recipients or one; its subject is the number.
//
//	joe   into his maildir
//	ann   forwarded to joe
//	far   to the sink
//	none  bounces, to joe
type work struct {
	conn   chan *session // free ones
	number atomic.Int64

	mu        sync.Mutex
	expected  map[string]bool // "joe 17", once the message was accepted
	got       map[string]int
	accepted  int
	uncertain int
	wrong     []string // bounces that should not be
}

func newWork(t *testing.T) *work {
	w := &work{conn: make(chan *session, 10), expected: map[string]bool{}, got: map[string]int{}}
	l, err := net.Listen("tcp", "127.0.0.2:25")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := os.WriteFile(site.Home+"/control/smtproutes", []byte(":127.0.0.2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go w.sink(conn)
		}
	}()
	return w
}

// A session is one with qmail-smtpd.
type session struct {
	net.Conn
	in *bufio.Reader
}

func (c *session) say(line, want string) bool {
	c.SetDeadline(time.Now().Add(2 * time.Minute))
	if line != "" {
		if _, err := io.WriteString(c, line+"\r\n"); err != nil {
			return false
		}
	}
	reply, err := c.in.ReadString('\n')
	return err == nil && strings.HasPrefix(reply, want)
}

// session returns one that is free, or a new one, or nil.
func (w *work) session() *session {
	select {
	case c := <-w.conn:
		return c
	default:
	}
	conn, err := net.Dial("tcp", "127.0.0.1:25")
	if err != nil {
		return nil
	}
	c := &session{conn, bufio.NewReader(conn)}
	if !c.say("", "220") || !c.say("HELO client", "250") {
		c.Close()
		return nil
	}
	return c
}

// hangUp ends the sessions that are free.
func (w *work) hangUp() {
	for {
		select {
		case c := <-w.conn:
			c.Close()
		default:
			return
		}
	}
}

// send sends a message, and tells whether it was accepted.
func (w *work) send() bool {
	c := w.session()
	if c == nil {
		return false
	}
	n := w.number.Add(1)
	recipients := []string{"joe@host.example.org", "ann@host.example.org", fmt.Sprintf("far@host%d.example", n%7)}
	kinds := []string{"joe", "ann", "far"}
	if n%10 == 0 {
		recipients, kinds = []string{"none@host.example.org"}, []string{"none"}
	}
	ok := c.say("MAIL FROM:<joe@host.example.org>", "250")
	for _, r := range recipients {
		ok = ok && c.say("RCPT TO:<"+r+">", "250")
	}
	ok = ok && c.say("DATA", "354")
	sent := ok
	ok = ok && c.say(fmt.Sprintf("Subject: %s %d\r\n\r\nx\r\n.", kinds[0], n), "250")
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case ok:
		w.accepted++
		for _, k := range kinds {
			w.expected[fmt.Sprint(k, " ", n)] = true
		}
		w.conn <- c
	default:
		if sent {
			w.uncertain++
		}
		c.Close()
	}
	return ok
}

// subject is how a message is known.
var (
	subject = regexp.MustCompile(`(?m)^Subject: (joe|none) (\d+)\r?$`)
	failed  = regexp.MustCompile(`(?m)^<(.*)>:$`)
)

// collect counts what has come to joe.
func (w *work) collect() {
	files, _ := filepath.Glob(site.Account("joe").Home + "/Maildir/new/*")
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		os.Remove(f)
		w.count(string(text))
	}
}

func (w *work) count(text string) {
	kind := "joe"
	switch {
	case strings.Contains(text, "\nHi. This is the "):
		kind = "none"
		for _, m := range failed.FindAllStringSubmatch(text, -1) {
			if m[1] != "none@host.example.org" {
				w.mu.Lock()
				w.wrong = append(w.wrong, text)
				w.mu.Unlock()
			}
		}
	case strings.Contains(text, "Delivered-To: ann@host.example.org\n"):
		kind = "ann"
	}
	if m := subject.FindStringSubmatch(text); m != nil {
		w.mu.Lock()
		w.got[kind+" "+m[2]]++
		w.mu.Unlock()
	}
}

// sink takes the mail for other hosts. A message counts for each recipient.
func (w *work) sink(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	io.WriteString(conn, "220 sink ESMTP\r\n")
	recipients := 0
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		reply := "250 ok"
		switch line[:4] {
		case "EHLO":
			reply = "250-sink\r\n250 PIPELINING"
		case "MAIL":
			recipients = 0
		case "RCPT":
			recipients++
		case "DATA":
			io.WriteString(conn, "354 go on\r\n")
			var text strings.Builder
			for line != ".\r\n" {
				if line, err = in.ReadString('\n'); err != nil {
					return
				}
				text.WriteString(line)
			}
			if m := subject.FindStringSubmatch(text.String()); m != nil {
				w.mu.Lock()
				w.got["far "+m[2]] += recipients
				w.mu.Unlock()
			}
		case "QUIT":
			return
		}
		io.WriteString(conn, reply+"\r\n")
	}
}

// missing has everything tried that waits, and counts what has not come.
func (w *work) missing(mail *supervised) (n int) {
	mail.signal(syscall.SIGALRM)
	w.collect()
	w.mu.Lock()
	defer w.mu.Unlock()
	for e := range w.expected {
		if w.got[e] == 0 {
			n++
		}
	}
	return n
}

// report says how it went.
func (w *work) report(t *testing.T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	deliveries, duplicates := 0, 0
	for e := range w.expected {
		deliveries++
		duplicates += w.got[e] - 1
	}
	t.Logf("%d messages accepted, %d that may have been; %d deliveries, none lost, %d more than once", w.accepted, w.uncertain, deliveries, duplicates)
	for _, text := range w.wrong {
		t.Errorf("a bounce that should not be:\n%s", text)
	}
}
