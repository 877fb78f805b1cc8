package soak

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"goqmail/internal/integration/site"

	"golang.org/x/sys/unix"
)

const (
	here     = "@host.example.org"
	nobody   = "nobody-here" + here
	password = "open sesame"
)

// mails are the kinds of mail: to whom, and where it is to arrive. A message has the kind
// that the last digit of its number says. Its sender is joe-NUMBER.
var mails = [10]struct {
	recipients []string
	places     []place
}{
	0: {[]string{nobody}, []place{unknown}},
	1: {[]string{"joe" + here, "refused@host1.example"}, []place{direct, refused}},
	2: {[]string{"list" + here}, []place{listed, listedBox, listedFar}},
	3: {[]string{"bob" + here, "bob-program" + here}, []place{mailbox, program}},
	4: {[]string{"bob" + here, "far@host4.example"}, []place{mailbox, far}},
	5: {[]string{"joe" + here, "ann" + here, "far@host5.example"}, []place{direct, forwarded, far}},
	6: {[]string{"joe" + here, "ann" + here, "far@host6.example"}, []place{direct, forwarded, far}},
	7: {[]string{"joe" + here, "ann" + here, "far@host7.example"}, []place{direct, forwarded, far}},
	8: {[]string{"joe" + here, "ann" + here, "far@host8.example"}, []place{direct, forwarded, far}},
	9: {[]string{"joe" + here, "ann" + here, "far@host9.example"}, []place{direct, forwarded, far}},
}

// text is a message. Some are larger.
func text(n int, newline string) string {
	filler := "The quick brown fox jumps over the lazy dog." + newline
	if n%40 == 7 {
		filler = strings.Repeat(filler, 2000)
	}
	return fmt.Sprintf("From: joe%[2]sMessage-ID: <%[1]d@soak>%[2]sSubject: soak%[2]s%[2]s%[3]send of %[1]d%[2]s", n, newline, filler)
}

// The load sends mail, and takes it where it arrives.
type load struct {
	ledger *ledger
	pause  time.Duration
	local  *client
	remote *client
	taken  int64 // bytes of what bob's program has written
	seen   map[string]bool
}

// clients are the loops of the load.
func (l *load) clients(stop <-chan struct{}) []func() {
	sending := func(send func() bool) func() {
		return func() {
			for open(stop) {
				if !send() {
					time.Sleep(10 * time.Millisecond) // nobody listens, or is ill
				}
				rest(stop, l.pause)
			}
		}
	}
	again := func() bool { return l.send(l.local) }
	once := func() bool { return l.send(l.remote) }
	return []func(){sending(again), sending(again), sending(again), sending(once), sending(once), sending(l.inject)}
}

// A client connects to qmail-smtpd, and may keep connections.
type client struct {
	dial func() (net.Conn, error)
	mu   sync.Mutex
	free []*session
	keep bool
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
func (c *client) session() *session {
	c.mu.Lock()
	if len(c.free) > 0 {
		s := c.free[0]
		c.free = c.free[1:]
		c.mu.Unlock()
		return s
	}
	c.mu.Unlock()
	conn, err := c.dial()
	if err != nil {
		return nil
	}
	s := &session{conn, bufio.NewReader(conn)}
	if !s.say("", "220") || !s.say("HELO client", "250") {
		s.Close()
		return nil
	}
	return s
}

func (c *client) done(s *session, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ok && c.keep {
		c.free = append(c.free, s)
		return
	}
	s.Close()
}

// hangUp ends the sessions that are free.
func (l *load) hangUp() {
	for _, s := range l.local.free {
		s.Close()
	}
	l.local.free = nil
}

// send sends a message by SMTP, and tells whether it was accepted.
func (l *load) send(c *client) bool {
	s := c.session()
	if s == nil {
		return false
	}
	n := l.ledger.number()
	mail := mails[n%10]
	ok := s.say(fmt.Sprintf("MAIL FROM:<joe-%d%s>", n, here), "250")
	for _, r := range mail.recipients {
		ok = ok && s.say("RCPT TO:<"+r+">", "250")
	}
	ok = ok && s.say("DATA", "354")
	ok = ok && s.say(text(n, "\r\n")+".", "250")
	if ok {
		l.ledger.accept(n, mail.places)
	}
	c.done(s, ok)
	return ok
}

// inject sends a message as a user does.
func (l *load) inject() bool {
	n := l.ledger.number()
	mail := mails[n%10]
	cmd := command("qmail-inject", append([]string{"-f", fmt.Sprintf("joe-%d%s", n, here)}, mail.recipients...)...)
	as(cmd, "joe")
	cmd.Stdin = strings.NewReader(text(n, "\n"))
	if cmd.Run() != nil {
		return false
	}
	l.ledger.accept(n, mail.places)
	return true
}

func as(cmd *exec.Cmd, user string) {
	u := site.Account(user)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: u.UID, Gid: u.GID}}
}

// collect takes what has come to joe and bob.
func (l *load) collect() {
	l.pop()
	l.readMailbox()
	l.readTaken()
}

// pop is a session by POP3 that takes and deletes what is in joe's maildir. What it had
// taken already when the last session broke, before it was deleted, is known by its UIDL.
func (l *load) pop() {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	theirs, ours := os.NewFile(uintptr(pair[0]), ""), os.NewFile(uintptr(pair[1]), "")
	conn, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	cmd := command("qmail-popup", "pop.example.org", "qmail-checkpassword", "qmail-pop3d", "Maildir")
	cmd.Env = append(cmd.Env, "TCPREMOTEIP=192.0.2.1")
	cmd.Stdin, cmd.Stdout = theirs, theirs
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return
	}
	defer cmd.Wait()
	s := &session{conn, bufio.NewReader(conn)}
	if !s.say("", "+OK") || !s.say("USER joe"+here, "+OK") || !s.say("PASS "+password, "+OK") || !s.say("UIDL", "+OK") {
		return
	}
	list, ok := s.lines()
	for line := range strings.Lines(list) {
		number, uid, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !l.seen[uid] {
			if ok = ok && s.say("RETR "+number, "+OK"); !ok {
				return
			}
			text, ok := s.lines()
			if !ok {
				return
			}
			l.ledger.arrived(text, direct)
			l.seen[uid] = true
		}
		ok = ok && s.say("DELE "+number, "+OK")
	}
	if ok && s.say("QUIT", "+OK") {
		clear(l.seen)
	}
}

// lines reads an answer of several lines, and makes it text.
func (c *session) lines() (string, bool) {
	var text strings.Builder
	for {
		line, err := c.in.ReadString('\n')
		switch {
		case err != nil:
			return "", false
		case line == ".\r\n":
			return text.String(), true
		}
		text.WriteString(strings.TrimSuffix(strings.TrimPrefix(line, "."), "\r\n") + "\n")
	}
}

var from = regexp.MustCompile(`(?m)^From joe-\d+@\S+ .*\n`)

// readMailbox takes what is in bob's mailbox, as a mail program does: it locks the file,
// and leaves it empty.
func (l *load) readMailbox() {
	f, err := os.OpenFile(site.Account("bob").Home+"/Mailbox", os.O_RDWR, 0)
	if err != nil {
		return // nothing yet
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX) != nil {
		return
	}
	text, err := io.ReadAll(f)
	if err != nil || f.Truncate(0) != nil {
		return
	}
	for _, m := range from.Split(string(text), -1)[1:] {
		l.ledger.arrived(m, mailbox)
	}
}

// takenID is what bob's program notes of a message.
var takenID = regexp.MustCompile(`<(\d+)@soak>`)

// readTaken reads what bob's program has written since.
func (l *load) readTaken() {
	f, err := os.Open(site.Account("bob").Home + "/taken")
	if err != nil {
		return // nothing yet
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, l.taken, 1<<40))
	end := strings.LastIndexByte(string(text), '\n') + 1
	if err != nil || end == 0 {
		return
	}
	for _, m := range takenID.FindAllStringSubmatch(string(text[:end]), -1) {
		var n int
		fmt.Sscan(m[1], &n)
		l.ledger.mu.Lock()
		l.ledger.note(n, program)
		l.ledger.mu.Unlock()
	}
	l.taken += int64(end)
}
