package model

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/integration/site"
)

// A door is a way to a qmail-smtpd that is set up as a model says.
type door interface {
	// open begins a session. wait returns when the server has closed it and has ended its
	// work, with the messages that qmail-queue has got.
	open() (conn io.ReadWriteCloser, wait func() (letters []letter, err error))
	close()
}

// TestProcess holds qmail-smtpd, started for one client as tcpserver does it, against the
// model. A program that keeps what it gets stands for qmail-queue.
func TestProcess(t *testing.T) {
	s := site.New(t)
	converse(t, s, false, func(m *setup) door { return newProcessDoor(t, s, "qmail-smtpd", *m) })
}

// TestServer holds qmail-smtpd with a listening socket against the model, with the real
// qmail-queue.
func TestServer(t *testing.T) {
	s := site.New(t)
	converse(t, s, true, func(m *setup) door { return newServerDoor(t, s, m.env) })
}

// TestOriginalServer holds the C qmail-smtpd against the model, within what
// docs/deviations.md says nothing about.
func TestOriginalServer(t *testing.T) {
	needsC(t)
	s := site.New(t)
	converse(t, s, false, func(m *setup) door {
		m.most, m.unbounded = 0, true
		return newProcessDoor(t, s, original("qmail-smtpd"), *m)
	})
}

// A setup is a model, and what makes a server of it.
type setup struct {
	server
	env  []string
	code int // exit code of qmail-queue
}

// sessions is how many there are with one setup.
const sessions = 20

// converse holds sessions at a door. The setup is another one for each twenty of them, and
// begins with a seed of its own.
func converse(t *testing.T, s *site.Site, listening bool, newDoor func(*setup) door) {
	var d door
	var m setup
	run(t, func(seed uint64) string {
		if d == nil || seed%sessions == 0 {
			if d != nil {
				d.close()
			}
			m = randomSetup(newDice(seed/sessions), s, listening)
			d = newDoor(&m)
		}
		return m.try(newDice(seed), d)
	})
	if d != nil {
		d.close()
	}
}

// verdicts are exit codes of qmail-queue and what a client is told of them.
var verdicts = map[int]string{0: "", 11: "554 envelope address too long for qq (#5.1.3)",
	31: "554 mail server permanently rejected message (#5.3.0)", 35: "554 qq permanent problem (#5.3.0)",
	53: "451 qq write error or disk full (#4.3.0)", 71: "451 mail server temporarily rejected message (#4.3.0)",
	1: "451 qq temporary problem (#4.3.0)", 82: "451 qq temporary problem (#4.3.0)", 120: "451 unable to exec qq (#4.3.0)"}

// randomSetup writes control files, and takes as much from the environment.
func randomSetup(d dice, s *site.Site, listening bool) setup {
	m := setup{server: server{me: "host.example.org", local: "unknown", host: "unknown", client: "unknown"}}
	control := func(name string, lines ...string) {
		os.Remove(filepath.Join(site.Home, "control", name))
		if len(lines) > 0 {
			s.Control(name, strings.Join(lines, "\n")+"\n")
		}
	}
	variable := func(name, value string) string {
		m.env = append(m.env, name+"="+value)
		return value
	}
	control("rcpthosts")
	if !d.oneIn(6) {
		m.hosts = []string{"a.test", ".b.test", "UPPER.test", "host.example.org"}
		control("rcpthosts", append([]string{"# comment"}, m.hosts...)...)
	}
	control("badmailfrom")
	if d.oneIn(2) {
		m.bad = []string{"bad@a.test", "@evil.test", "x"}
		control("badmailfrom", m.bad...)
	}
	control("databytes")
	if d.oneIn(2) {
		m.databytes = d.IntN(200)
		control("databytes", fmt.Sprint(m.databytes))
	}
	control("maxrcpt")
	if d.oneIn(4) {
		m.most = 1 + d.IntN(4)
		control("maxrcpt", fmt.Sprint(m.most))
	}
	if d.oneIn(6) {
		m.databytes = d.IntN(3) * 50
		variable("DATABYTES", fmt.Sprint(m.databytes))
	}
	if d.oneIn(4) {
		m.relays, m.suffix = true, variable("RELAYCLIENT", d.pick("", "@relay.test", ".x"))
	}
	if listening {
		m.client, m.local = "127.0.0.1", m.me
		return m
	}
	if d.oneIn(2) {
		m.client = variable("TCPREMOTEIP", "192.0.2.1")
	}
	if d.oneIn(2) {
		m.host = variable("TCPREMOTEHOST", d.pick("client.test", "CLIENT.test", "c l(i)ent", ""))
	}
	if d.oneIn(3) {
		m.client = plain(variable("TCPREMOTEINFO", d.pick("joe", "a b\xff", ""))) + "@" + m.client
	}
	if d.oneIn(2) {
		m.local = variable("TCPLOCALHOST", "local.test")
	} else if d.oneIn(2) {
		m.local = variable("TCPLOCALIP", "192.0.2.2")
	}
	codes := []int{0, 0, 0, 0, 0, 0, 0, 11, 31, 35, 53, 71, 1, 82, 120}
	m.code = codes[d.IntN(len(codes))]
	m.verdict = verdicts[m.code]
	return m
}

// try holds one session.
func (m setup) try(d dice, to door) (difference string) {
	in := m.session(d)
	want := m.answer(in)
	conn, wait := to.open()
	got := talk(conn, m.pieces(d, in))
	letters, err := wait()
	switch {
	case got != want.replies:
		return fmt.Sprintf("%s\nanswered\n%q\ninstead of\n%q", m.describe(in), got, want.replies)
	case !slices.Equal(letters, want.letters):
		return fmt.Sprintf("%s\nqueued\n%.3000q\ninstead of\n%.3000q", m.describe(in), letters, want.letters)
	case err != nil == want.quit:
		return fmt.Sprintf("%s\nended with %v", m.describe(in), err)
	}
	return ""
}

func (m setup) describe(in string) string {
	return fmt.Sprintf("%+v, environment %q, exit code %d of qmail-queue, input\n%.3000q", m.server, m.env, m.code, in)
}

// A piece is what is sent at once. After it so many lines must have been received, without
// which the client waits for more.
type piece struct {
	text  string
	lines int
}

// pieces cuts what a client sends into pieces. Half of the clients wait for the replies to
// each piece.
func (m setup) pieces(d dice, in string) (cut []piece) {
	waits := d.oneIn(2) && len(in) < 4<<10
	sent := 0
	for sent < len(in) && len(cut) < 50 {
		n := min(len(in)-sent, 1+d.IntN(1+d.IntN(200)))
		if d.oneIn(20) {
			n = len(in) - sent
		}
		p := piece{text: in[sent : sent+n]}
		sent += n
		if waits {
			p.lines = strings.Count(m.answer(in[:sent]).replies, "\n")
		}
		cut = append(cut, p)
	}
	return append(cut, piece{text: in[sent:]})
}

// patience is how long a reply may take.
const patience = 30 * time.Second

var changing = regexp.MustCompile(`(?m)^250 ok \d+ qp \d+\r$`)

// talk is the client: it sends all pieces and then closes. It returns the replies.
func talk(conn io.ReadWriteCloser, pieces []piece) string {
	var mu sync.Mutex
	var got strings.Builder
	more := sync.NewCond(&mu)
	ended := false
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := conn.Read(buffer)
			mu.Lock()
			got.Write(buffer[:n])
			ended = ended || err != nil
			more.Broadcast()
			mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	alarm := time.AfterFunc(patience, func() {
		mu.Lock()
		defer mu.Unlock()
		got.WriteString("(nothing more for half a minute)")
		ended = true
		more.Broadcast()
	})
	defer alarm.Stop()
	mu.Lock()
	defer mu.Unlock()
	for _, p := range pieces {
		mu.Unlock()
		_, err := io.WriteString(conn, p.text)
		mu.Lock()
		if err != nil {
			break // the server has had enough
		}
		for !ended && strings.Count(got.String(), "\n") < p.lines {
			more.Wait()
		}
	}
	conn.(interface{ CloseWrite() error }).CloseWrite()
	for !ended {
		more.Wait()
	}
	conn.Close()
	text := changing.ReplaceAllString(got.String(), accepted+"\r")
	return regexp.MustCompile(`(?m)^214 .*\r$`).ReplaceAllString(text, "214 HELP\r")
}

// processDoor runs a process for each session.
type processDoor struct {
	t       *testing.T
	s       *site.Site
	program string
	setup   setup
	dir     string // what qmail-queue has got
}

// recorder stands for qmail-queue. It keeps each message under its process number, which
// grows.
const recorder = `#!/bin/sh
cat >"$RECORD/$$.text"
cat <&1 >"$RECORD/$$.envelope"
exit $CODE
`

func newProcessDoor(t *testing.T, s *site.Site, program string, m setup) door {
	p := &processDoor{t: t, s: s, program: program, setup: m, dir: "/mnt/record"}
	os.RemoveAll(p.dir)
	must(t, os.Mkdir(p.dir, 0o755))
	must(t, os.WriteFile("/mnt/recorder", []byte(recorder), 0o755))
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// duplex is a client's side of a session by two pipes.
type duplex struct {
	io.Reader
	io.Writer
	in, out *os.File
}

func (d duplex) CloseWrite() error { return d.out.Close() }
func (d duplex) Close() error      { return d.in.Close() }

func (p *processDoor) open() (io.ReadWriteCloser, func() ([]letter, error)) {
	theirIn, out, err := os.Pipe()
	must(p.t, err)
	in, theirOut, err := os.Pipe()
	must(p.t, err)
	cmd := exec.Command(filepath.Join(site.Home, "bin", p.program))
	if filepath.IsAbs(p.program) {
		cmd.Path = p.program
	}
	cmd.Args = []string{"qmail-smtpd"}
	cmd.Dir = site.Home
	cmd.Env = append([]string{"PATH=/usr/bin:/bin", "QMAILQUEUE=/mnt/recorder", "RECORD=" + p.dir, fmt.Sprint("CODE=", p.setup.code)}, p.setup.env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirIn, theirOut, io.Discard
	must(p.t, cmd.Start())
	theirIn.Close()
	theirOut.Close()
	return duplex{in, out, in, out}, func() ([]letter, error) {
		killer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		err := cmd.Wait()
		killer.Stop()
		return p.take(), err
	}
}

// take returns and removes what was recorded. A message without an envelope that comes to
// its end does not count.
func (p *processDoor) take() (letters []letter) {
	envelopes, err := filepath.Glob(p.dir + "/*.envelope")
	must(p.t, err)
	slices.SortFunc(envelopes, byNumber)
	for _, e := range envelopes {
		text := strings.TrimSuffix(e, ".envelope") + ".text"
		if l := (letter{dated(p.s.Read(text)), p.s.Read(e)}); strings.HasSuffix(l.envelope, "\x00\x00") {
			letters = append(letters, l)
		}
		os.Remove(e)
		os.Remove(text)
	}
	return letters
}

// byNumber compares files that are named by numbers.
func byNumber(a, b string) int {
	number := func(file string) (n int) { fmt.Sscan(filepath.Base(file), &n); return n }
	return number(a) - number(b)
}

func (p *processDoor) close() { os.RemoveAll(p.dir) }

var date = regexp.MustCompile(`^(Received: .*\n  by .* with SMTP; ).*`)

// dated leaves the date out of the first field.
func dated(text string) string { return date.ReplaceAllString(text, "${1}DATE") }

// serverDoor is a server with a listening socket.
type serverDoor struct {
	t       *testing.T
	s       *site.Site
	y       *site.System
	address string
}

func newServerDoor(t *testing.T, s *site.Site, env []string) door {
	y := s.Start(site.Command{Program: "qmail-smtpd", Args: []string{"-vHa127.0.0.1:0"}, Env: env})
	return &serverDoor{t, s, y, y.WaitLog(`^qmail-smtpd: listening on (\S+)$`)[1]}
}

func (p *serverDoor) open() (io.ReadWriteCloser, func() ([]letter, error)) {
	conn, err := net.Dial("tcp", p.address)
	must(p.t, err)
	ends := len(regexp.MustCompile(`(?m)^qmail-smtpd: end `).FindAllString(p.y.Log(), -1))
	return conn, func() ([]letter, error) {
		var last string
		p.s.Eventually("the end of the session", func() bool {
			found := regexp.MustCompile(`(?m)^qmail-smtpd: end .*\n`).FindAllString(p.y.Log(), -1)
			if len(found) > ends {
				last = found[ends]
			}
			return len(found) > ends
		})
		var err error
		if !strings.Contains(last, " status 0\n") {
			err = fmt.Errorf("%s", last)
		}
		return p.take(), err
	}
}

// take returns and removes what is in the queue.
func (p *serverDoor) take() (letters []letter) {
	todo, err := filepath.Glob(site.Home + "/queue/todo/*")
	must(p.t, err)
	slices.SortFunc(todo, byNumber)
	for _, file := range todo {
		envelope := p.s.Read(file)
		mess, _ := filepath.Glob(site.Home + "/queue/mess/*/" + filepath.Base(file))
		_, text, _ := strings.Cut(p.s.Read(mess[0]), "\n") // without qmail-queue's own field
		letters = append(letters, letter{dated(text), envelope[strings.Index(envelope, "\x00F")+1:] + "\x00"})
		os.Remove(mess[0])
		os.Remove(file)
	}
	return letters
}

func (p *serverDoor) close() {
	p.y.Signal(syscall.SIGTERM)
	p.y.Wait()
}

// session makes what a client says: mostly mail, in any order, well or badly written.
func (m setup) session(d dice) string {
	var b strings.Builder
	for range 1 + d.IntN(6) {
		switch d.IntN(8) {
		case 0:
			b.WriteString(m.line(d))
		case 1:
			for range d.IntN(8) {
				b.WriteString(m.line(d))
			}
		default:
			b.WriteString("MAIL " + argument(d, "FROM:") + end(d))
			for range 1 + d.IntN(1+d.IntN(5)) {
				b.WriteString(d.pick("RCPT ", "rcpt ", "Rcpt  ") + argument(d, "TO:") + end(d))
			}
			b.WriteString("DATA" + end(d))
			b.WriteString(m.body(d))
		}
	}
	if !d.oneIn(4) {
		b.WriteString("QUIT\r\n")
	}
	text := b.String()
	if d.oneIn(3) {
		text = d.spoil(text, "\r", "\n", "\r\n", "\x00", ".", "\r\n.\r\n", "\r\n.", ".\r", " ", `"`, `\`, "<", ">", "@", ":", "\xff", "DATA\r\n")
	}
	return text
}

// end ends a line of the client.
func end(d dice) string {
	return d.pick("\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r\r\n", " \r\n")
}

// line is a command of any kind.
func (m setup) line(d dice) string {
	verb := d.pick("HELO", "EHLO", "helo", "Ehlo", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "VRFY", "HELP", "QUIT", "QuIt",
		"EXPN", "TURN", "STARTTLS", "", "MAILX", "\x00", "rset\x00", "N\xc4OOP", d.bytes(8))
	if strings.ContainsAny(verb, "\n") {
		verb = "X"
	}
	switch {
	case d.oneIn(200):
		verb += strings.Repeat("x", longestCommand-3+d.IntN(4))
	case lower(verb) == "mail" || lower(verb) == "rcpt":
		verb += " " + argument(d, d.pick("FROM:", "TO:", ""))
	case d.oneIn(2):
		verb += d.pick(" ", "  ", "\t") + d.pick("client.test", "Client.Test", "unknown", "x y", "c\xe4(", "", "\x00z", "[192.0.2.9]", "127.0.0.1")
	}
	return verb + end(d)
}

// argument is that of MAIL or RCPT.
func argument(d dice, before string) string {
	local := d.pick("joe", "bad", "BAD", `"a b"`, `a\>b`, `"x>y"`, `\"`, "", "a@b", "x", "%", "\xe4", `"`, "joe", "ann", strings.Repeat("n", 880+d.IntN(25)))
	host := d.pick("@a.test", "@A.Test", "@x.b.test", "@b.test", "@upper.TEST", "@evil.test", "@other.test", "@[127.0.0.1]", "@[192.0.2.7]",
		"@host.example.org", "", "@", "@.b.test", "@a.test.", "@a.test@b.test", "@x.EVIL.test")
	route := ""
	if d.oneIn(12) {
		route = d.pick("@r.test:", "@r,@s:", "@r", ":", "@:")
	}
	address := route + local + host
	switch d.IntN(10) {
	case 0:
		address = " " + address
	case 1:
		address = "<" + address
	case 2:
		address = d.pick("", "<>", "<", "x y <", "< >", "<<") + address + d.pick("", ">", ">>")
	default:
		address = "<" + address + ">"
	}
	return d.pick(before, before, before, lower(before), before+" ", "") + address + d.pick("", "", "", "", " SIZE=100", " BODY=8BITMIME", " X <y>")
}

// body is what follows DATA.
func (m setup) body(d dice) string {
	if m.databytes > 1 && d.oneIn(3) { // just what is still taken, or not any more
		return strings.Repeat("z", m.databytes-2+d.IntN(3)) + "\r\n.\r\n"
	}
	var b strings.Builder
	for range d.IntN(6) {
		b.WriteString(d.pick("Subject: x", "Received: from x", "received-by", "DELIVERED-TO: x", ".Received: x", "", "text", "..", ".x", ".\rx", "\r", "a\rb", "\x00",
			"From: \xe4\xf6", " folded", "Re", "Received\r", strings.Repeat("y", d.IntN(300)), d.bytes(20)))
		b.WriteString(d.pick("\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\r\n", "\r\n\r\n"))
	}
	if d.oneIn(12) {
		b.WriteString(strings.Repeat(d.pick("Received: x\r\n", "Delivered-To: x\r\n"), 97+d.IntN(5)))
	}
	if d.oneIn(30) {
		b.WriteString(strings.Repeat("z", d.IntN(200_000)))
	}
	text := b.String()
	if !d.oneIn(8) { // most bodies have no bare LF
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
	}
	if text != "" && !strings.HasSuffix(text, "\r\n") {
		text += "\r\n"
	}
	return text + d.pick(".\r\n", ".\r\n", ".\r\n", ".\r\n", ".\r\n", ".\r\n", ".\r\n", ".\n", ".", "", ".\r\r\n")
}
