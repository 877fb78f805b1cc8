package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// A work is one thing that peers are measured at.
type work struct {
	name, about string
	n           int  // messages or recipients
	relay       bool // to other hosts
	combined    bool // recipients of a message may share a transaction
	single      bool // they must not
	command     bool // needs a sendmail
	memory      bool // only memory counts
	do          func(b *bench, p *peer, n int) error
}

var works = []work{
	{name: "maildir-1k", about: "SMTP to Maildir, 1 KB, 10 sessions reused", n: 2000, do: func(b *bench, p *peer, n int) error {
		return b.send(p.address(""), 10, n, 1<<10)
	}},
	{name: "maildir-100k", about: "SMTP to Maildir, 100 KB, 10 sessions reused", n: 500, do: func(b *bench, p *peer, n int) error {
		return b.send(p.address(""), 10, n, 100<<10)
	}},
	{name: "sendmail", about: "sendmail command to Maildir, one after another", n: 500, command: true, do: func(b *bench, p *peer, n int) error {
		for range n {
			if err := p.submit(p.address("")); err != nil {
				return err
			}
		}
		return nil
	}},
	{name: "list", about: "1 message, 1000 local recipients", n: 1000, do: func(b *bench, p *peer, n int) error {
		return b.one(p, n, func(i int) string { return p.address(fmt.Sprint(i)) })
	}},
	{name: "relay", about: "relay in and out, 1 KB, 20 sessions reused", n: 2000, relay: true, do: func(b *bench, p *peer, n int) error {
		return b.send("r@remote.test", 20, n, 1<<10)
	}},
	{name: "remote-1", about: "1 message, 2000 remote recipients, one in a transaction", n: 2000, relay: true, single: true, do: remoteList},
	{name: "remote-many", about: "the same, combined", n: 2000, relay: true, combined: true, do: remoteList},
	{name: "idle-fresh", about: "memory, idle, fresh", memory: true},
	{name: "idle-warm", about: "memory, idle, after 200 messages in 20 sessions", memory: true, n: 200, do: func(b *bench, p *peer, n int) error {
		return b.send(p.address(""), 20, n, 1<<10)
	}},
}

func remoteList(b *bench, p *peer, n int) error {
	return b.one(p, n, func(i int) string { return fmt.Sprintf("r%d@d%[1]d.remote.test", i) })
}

// can tells whether a peer does such work at all.
func (p *peer) can(w work) bool {
	return (!w.command || p.sendmail != "") && (!w.relay || p.relays) && (!w.single || !p.combines)
}

func (p *peer) address(extension string) string {
	if extension != "" {
		extension = p.separator + extension
	}
	return p.user + extension + "@" + domain
}

// send sends messages by SMTP.
func (b *bench) send(recipient string, sessions, n, size int) error {
	return smtpLoad(fmt.Sprint("127.0.0.1:", b.port(smtpPort)), min(sessions, n), n, true, recipient, text(size))
}

// one sends one message to n recipients: by sendmail, or by SMTP, a hundred at a time.
func (b *bench) one(p *peer, n int, recipient func(i int) string) error {
	recipients := make([]string, n)
	for i := range recipients {
		recipients[i] = recipient(i)
	}
	if p.sendmail != "" {
		return p.submit(recipients...)
	}
	for len(recipients) > 0 {
		some := recipients[:min(100, len(recipients))]
		recipients = recipients[len(some):]
		if err := b.sendTo(some); err != nil {
			return err
		}
	}
	return nil
}

// sendTo sends one message by SMTP to some recipients.
func (b *bench) sendTo(recipients []string) error {
	c, err := greeted(fmt.Sprint("127.0.0.1:", b.port(smtpPort)))
	if err != nil {
		return err
	}
	defer c.conn.Close()
	err = errors.Join(c.say([]byte("HELO client.example\r\n"), "250"), c.say([]byte("MAIL FROM:<sender@"+domain+">\r\n"), "250"))
	for _, r := range recipients {
		if err == nil {
			err = c.say([]byte("RCPT TO:<"+r+">\r\n"), "250")
		}
	}
	if err != nil {
		return err
	}
	body := append(bytes.ReplaceAll(text(1<<10), []byte("\n"), []byte("\r\n")), ".\r\n"...)
	return errors.Join(c.say([]byte("DATA\r\n"), "354"), c.say(body, "250"))
}

// submit runs sendmail, as the user.
func (p *peer) submit(recipients ...string) error {
	cmd := exec.Command(p.sendmail, append([]string{"-i"}, recipients...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "USER=" + p.user, "LOGNAME=" + p.user}
	cmd.Stdin, cmd.Dir = bytes.NewReader(text(1<<10)), "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(p.uid), Gid: uint32(p.uid)}}
	if p.suite == nil {
		cmd.SysProcAttr.Chroot = p.root
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", p.sendmail, err, out)
	}
	return nil
}

// measure has a peer do a work once.
func (b *bench) measure(p *peer, w work) (r result, err error) {
	sink, err := b.listen(&sink{pipelining: true})
	if err != nil {
		return result{}, err
	}
	defer sink.close()
	defer p.stop()
	if err := p.start(setting{b, w.combined}); err != nil {
		return result{}, err
	}
	if err := b.sleep(time.Second); err != nil { // for what a start leaves to do
		return result{}, err
	}
	r.n = b.scaled(w.n)
	if p.slow == w.name {
		r.n = b.scaled(w.n / 10)
	}
	before, err := consumed()
	if err != nil {
		return result{}, err
	}
	begun := time.Now()
	if w.do != nil {
		if err := w.do(b, p, r.n); err != nil {
			return result{}, err
		}
	}
	arrived := p.arrived
	if w.relay {
		arrived = func() int { return int(sink.recipients.Load()) }
	}
	if w.do == nil {
		arrived = func() int { return r.n }
	}
	if err := b.until(func() bool { return arrived() >= r.n }); err != nil {
		return result{}, fmt.Errorf("%d of %d arrived: %w", arrived(), r.n, err)
	}
	last := time.Unix(0, sink.last.Load())
	if !w.relay {
		last = p.lastArrival()
	}
	if err := b.until(p.done); err != nil {
		return result{}, err
	}
	after, err := consumed()
	if err != nil {
		return result{}, err
	}
	r.wall, r.cpu = last.Sub(begun), after-before
	if w.memory {
		if err := b.sleep(2 * time.Second); err != nil {
			return result{}, err
		}
		r.pss = pssOfOthers()
	}
	if got := arrived(); got != r.n {
		err = fmt.Errorf("%d arrived instead of %d", got, r.n)
	}
	return r, err
}

// until waits until something holds.
func (b *bench) until(holds func() bool) error {
	for end := time.Now().Add(5 * time.Minute); !holds(); {
		if err := b.sleep(20 * time.Millisecond); err != nil {
			return err
		}
		if time.Now().After(end) {
			return errors.New("not done after 5 minutes")
		}
	}
	return nil
}

// arrived is how many messages are in the maildir.
func (p *peer) arrived() int {
	f, err := os.Open(filepath.Join(p.home, "Maildir/new"))
	if err != nil {
		return 0
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	return len(names)
}

// lastArrival is when the last of them came.
func (p *peer) lastArrival() (last time.Time) {
	entries, _ := os.ReadDir(filepath.Join(p.home, "Maildir/new"))
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			change := info.Sys().(*syscall.Stat_t).Ctim
			if t := time.Unix(change.Unix()); t.After(last) {
				last = t
			}
		}
	}
	return last
}

// consumed is the processor time of all other processes of the namespace so far, of
// those that are and of those that have been: what the control group has used, but for
// this process.
func consumed() (time.Duration, error) {
	var self syscall.Rusage
	stat, err := os.ReadFile(filepath.Join(os.Getenv(insideVariable), "cpu.stat"))
	if err := errors.Join(err, syscall.Getrusage(syscall.RUSAGE_SELF, &self)); err != nil {
		return 0, err
	}
	var microseconds int64
	if _, err := fmt.Sscanf(string(stat), "usage_usec %d", &microseconds); err != nil {
		return 0, fmt.Errorf("cpu.stat: %w", err)
	}
	return time.Duration(microseconds)*time.Microsecond - time.Duration(self.Utime.Nano()+self.Stime.Nano()), nil
}

// pssOfOthers is their memory.
func pssOfOthers() (total int64) {
	for _, pid := range others() {
		total += pssOf(pid)
	}
	return total
}
