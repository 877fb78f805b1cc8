package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"goqmail/internal/host/durable"

	"golang.org/x/sys/unix"
)

// A workload is one thing to measure.
type workload struct {
	name  string
	about string
	run   func(*bench, *suite) (result, error)
}

// workloads are run in this order.
var workloads = []workload{
	{"trash", "1 message, 8192 local recipients whose .qmail is a comment; concurrency 10", trash},
	{"list", "1 message, 1024 local recipients, one Maildir", list},
	{"drain", "2000 queued messages for one Maildir", drain},
	{"users", "2000 queued messages for 200 users in turn", users},
	{"remote", "1 message, 2000 recipients at 2000 hosts, one sink; concurrency 20", func(b *bench, s *suite) (result, error) {
		return remote(b, s, 20, 0, 2000, nil)
	}},
	{"remote-apart", "the same where each host has an address of its own", remoteApart},
	{"remote-slow", "20000 recipients, a sink that takes 100 ms, concurrency 1000", func(b *bench, s *suite) (result, error) {
		return remote(b, s, 1000, 100*time.Millisecond, 20000, nil)
	}},
	{"smtp-1k", "messages of 1 KB by SMTP, 10 sessions, a connection for each", func(b *bench, s *suite) (result, error) {
		return smtpIn(b, s, 2000, 1<<10, false)
	}},
	{"smtp-1k-reuse", "messages of 1 KB by SMTP, 10 sessions, many in a connection", func(b *bench, s *suite) (result, error) {
		return smtpIn(b, s, 4000, 1<<10, true)
	}},
	{"smtp-100k", "messages of 100 KB by SMTP, 10 sessions", func(b *bench, s *suite) (result, error) {
		return smtpIn(b, s, 500, 100<<10, true)
	}},
	{"smtp-50m", "one message of 50 MB by SMTP", func(b *bench, s *suite) (result, error) {
		return smtpIn(b, s, 1, 50<<20, true)
	}},
	{"inject-1", "qmail-inject to a Maildir, one after another", func(b *bench, s *suite) (result, error) { return inject(b, s, 1) }},
	{"inject-4", "qmail-inject to a Maildir, four at a time", func(b *bench, s *suite) (result, error) { return inject(b, s, 4) }},
	{"smtp-maildir", "messages of 1 KB by SMTP to a Maildir, end to end, 10 sessions", smtpMaildir},
	{"pop3", "RETR of 1000 messages of 1 KB", pop3},
	{"million", "1000000 deferred messages: from the start of qmail-send to the first delivery (messages in the queue for each second of it)", million},
	{"disk", "no mail: files of 1 KB created, synced, renamed and their directory synced, 10 writers, CPU of this program", disk},
	{"idle", "nothing for 10 seconds after the start (the rate means nothing; CPU is that of all 10)", idle},
}

func trash(b *bench, s *suite) (result, error) {
	return local(b, s, b.scaled(8192), "# thrown away", 0)
}

func list(b *bench, s *suite) (result, error) {
	n := b.scaled(1024)
	return local(b, s, n, "./Maildir/", n)
}

// local sends one message to n extensions of the user.
func local(b *bench, s *suite, n int, dotQmail string, arrive int) (result, error) {
	if err := errors.Join(b.newHome(dotQmail), s.control(nil)); err != nil {
		return result{}, err
	}
	recipients := make([]string, n)
	for i := range recipients {
		recipients[i] = b.address(fmt.Sprint("-", i))
	}
	r, err := s.timed(n, false, func() (time.Duration, error) {
		return submission{[]string{s.bin("qmail-queue")}, text(1 << 10), envelope(recipients...)}.run(b)
	})
	if err == nil {
		err = errors.Join(s.successes(n), delivered(arrive, b.user.Home))
	}
	return r, err
}

// seed queues messages while qmail-send is not there.
func seed(b *bench, s *suite, n int, recipient func(i int) string) error {
	message := text(1 << 10)
	_, err := b.fanOut(4, n, func(i int) submission {
		return submission{[]string{s.bin("qmail-queue")}, message, envelope(recipient(i))}
	})
	if got := s.count("todo/*"); err == nil && got != n {
		err = fmt.Errorf("%d messages were queued instead of %d", got, n)
	}
	return err
}

func drain(b *bench, s *suite) (result, error) {
	n := b.scaled(2000)
	if err := errors.Join(b.newHome(""), s.control(nil)); err != nil {
		return result{}, err
	}
	if err := seed(b, s, n, func(int) string { return b.address("") }); err != nil {
		return result{}, err
	}
	r, err := s.timed(n, true, func() (time.Duration, error) { return 0, nil })
	if err == nil {
		err = delivered(n, b.user.Home)
	}
	return r, err
}

// users have numbers of their own, which are nobody's, and homes below that of the
// test user.
func users(b *bench, s *suite) (result, error) {
	const firstUID, people = 48000, 200
	n := b.scaled(2000)
	if err := errors.Join(b.newHome(""), s.control(nil)); err != nil {
		return result{}, err
	}
	var assign strings.Builder
	var homes []string
	for i := range people {
		home := filepath.Join(b.user.Home, "Maildir", fmt.Sprint("u", i))
		homes = append(homes, home)
		if err := os.MkdirAll(home, 0o755); err != nil {
			return result{}, err
		}
		if err := b.maildir(home); err != nil {
			return result{}, err
		}
		for _, dir := range []string{"", "Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur"} {
			if err := os.Chown(filepath.Join(home, dir), firstUID+i, firstUID+i); err != nil {
				return result{}, err
			}
		}
		fmt.Fprintf(&assign, "=u%d:u%[1]d:%d:%[2]d:%s:::\n", i, firstUID+i, home)
	}
	assign.WriteString(".\n")
	if err := os.Chmod(filepath.Join(b.user.Home, "Maildir"), 0o755); err != nil {
		return result{}, err
	}
	remove := func() { os.Remove(s.path("users/assign")); os.Remove(s.path("users/cdb")) }
	if _, err := os.Stat(s.path("users/assign")); err == nil {
		return result{}, fmt.Errorf("%s exists", s.path("users/assign"))
	}
	defer remove()
	if err := os.WriteFile(s.path("users/assign"), []byte(assign.String()), 0o644); err != nil {
		return result{}, err
	}
	if err := exec.Command(s.bin("qmail-newu")).Run(); err != nil {
		return result{}, err
	}
	if err := seed(b, s, n, func(i int) string { return fmt.Sprintf("u%d@%s", i%people, domain) }); err != nil {
		return result{}, err
	}
	r, err := s.timed(n, true, func() (time.Duration, error) { return 0, nil })
	if err == nil {
		err = delivered(n, homes...)
	}
	return r, err
}

// remote sends one message to n hosts.
func remote(b *bench, s *suite, concurrency int, delay time.Duration, n int, control map[string]string) (result, error) {
	n = b.scaled(n)
	files := map[string]string{"concurrencyremote": fmt.Sprint(concurrency), "spawnlimit": fmt.Sprint(concurrency)}
	maps.Copy(files, control)
	if err := s.control(files); err != nil {
		return result{}, err
	}
	sink, err := b.startSink(delay)
	if err != nil {
		return result{}, err
	}
	defer sink.close()
	recipients := make([]string, n)
	for i := range recipients {
		recipients[i] = fmt.Sprintf("r%d@host%[1]d.example", i)
	}
	r, err := s.timed(n, false, func() (time.Duration, error) {
		return submission{[]string{s.bin("qmail-queue")}, text(1 << 10), envelope(recipients...)}.run(b)
	})
	if err == nil {
		err = s.successes(n)
	}
	if got := sink.messages.Load(); err == nil && got != int64(n) {
		err = fmt.Errorf("%d messages came to the sink instead of %d", got, n)
	}
	return r, err
}

func remoteApart(b *bench, s *suite) (result, error) {
	var routes strings.Builder
	for i := range b.scaled(2000) {
		fmt.Fprintf(&routes, "host%d.example:127.1.%d.%d:%d\n", i, i/250, 1+i%250, b.port(sinkPort))
	}
	return remote(b, s, 20, 0, 2000, map[string]string{"smtproutes": strings.TrimSuffix(routes.String(), "\n")})
}

// smtpIn sends messages to the SMTP server, into a queue that nobody looks after.
func smtpIn(b *bench, s *suite, n, size int, reuse bool) (result, error) {
	if n > 1 {
		n = b.scaled(n)
	}
	if err := s.control(nil); err != nil {
		return result{}, err
	}
	t, err := s.smtpd()
	if err != nil {
		return result{}, err
	}
	defer t.stop()
	message := text(size)
	memory, before, begun := sample(t), t.cpu(), time.Now()
	err = smtpLoad(fmt.Sprint("127.0.0.1:", b.port(smtpPort)), min(10, n), n, reuse, b.address(""), message)
	r := result{n: n, wall: time.Since(begun)}
	r.cpu, r.pss = t.cpu()-before, memory.finish()
	if got := s.count("todo/*"); err == nil && got != n {
		err = fmt.Errorf("%d messages were queued instead of %d", got, n)
	}
	return r, errors.Join(err, s.purge())
}

// purge empties the queue.
func (s *suite) purge() error {
	for _, pattern := range []string{"todo/*", "intd/*", "pid/*", "bounce/*", "info/*/*", "local/*/*", "remote/*/*", "mess/*/*"} {
		files, _ := filepath.Glob(s.path("queue/" + pattern))
		for _, f := range files {
			if err := os.Remove(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func inject(b *bench, s *suite, writers int) (result, error) {
	n := b.scaled(1000)
	if err := errors.Join(b.newHome(""), s.control(nil)); err != nil {
		return result{}, err
	}
	message := text(1 << 10)
	r, err := s.timed(n, false, func() (time.Duration, error) {
		return b.fanOut(writers, n, func(int) submission {
			return submission{[]string{s.bin("qmail-inject"), "-a", "-fsender@" + domain, b.address("")}, message, nil}
		})
	})
	if err == nil {
		err = delivered(n, b.user.Home)
	}
	return r, err
}

// smtpMaildir goes the whole way.
func smtpMaildir(b *bench, s *suite) (result, error) {
	n := b.scaled(2000)
	if err := errors.Join(b.newHome(""), s.control(nil)); err != nil {
		return result{}, err
	}
	server, err := s.smtpd()
	if err != nil {
		return result{}, err
	}
	defer server.stop()
	message := text(1 << 10)
	r, err := s.timed(n, false, func() (time.Duration, error) {
		before := server.cpu()
		err := smtpLoad(fmt.Sprint("127.0.0.1:", b.port(smtpPort)), 10, n, true, b.address(""), message)
		return server.cpu() - before, err
	})
	if err == nil {
		err = delivered(n, b.user.Home)
	}
	return r, err
}

func pop3(b *bench, s *suite) (result, error) {
	n := b.scaled(1000)
	if err := errors.Join(b.newHome(""), s.control(nil)); err != nil {
		return result{}, err
	}
	message := text(1 << 10)
	for i := range n {
		path := filepath.Join(b.user.Home, "Maildir/cur", fmt.Sprintf("%d.%d.bench:2,S", 1700000000+i, i))
		when := time.Unix(int64(1700000000+i), 0) // C qmail-pop3d passes over what is new
		if err := errors.Join(os.WriteFile(path, message, 0o600), b.own(path), os.Chtimes(path, when, when)); err != nil {
			return result{}, err
		}
	}
	// A checkpassword that believes everybody.
	check := filepath.Join(b.dir, "checkpassword")
	script := fmt.Sprintf("#!/bin/sh\ncat <&3 >/dev/null\nexec 3<&-\ncd %s || exit 111\nexec setpriv --reuid=%d --regid=%d --clear-groups \"$@\"\n",
		b.user.Home, b.user.UID, b.user.GID)
	if err := os.WriteFile(check, []byte(script), 0o755); err != nil {
		return result{}, err
	}
	address := fmt.Sprint("127.0.0.1:", b.port(popPort))
	cmd := exec.Command("tcpserver", "-H", "-R", "-l", "0", "127.0.0.1", fmt.Sprint(b.port(popPort)),
		s.bin("qmail-popup"), domain, check, s.bin("qmail-pop3d"), "Maildir")
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	t, err := startTree(cmd)
	if err != nil {
		return result{}, err
	}
	defer t.stop()
	if err := await(address); err != nil {
		return result{}, err
	}
	before, begun := t.cpu(), time.Now()
	err = popLoad(address, b.user.Name, n)
	return result{n: n, wall: time.Since(begun), cpu: t.cpu() - before}, err
}

// disk is what a disk can do: less than it has to for a message. Any home's is as good.
func disk(b *bench, s *suite) (result, error) {
	const writers = 10
	n := b.scaled(2000)
	dir, err := os.MkdirTemp(s.path("queue"), "disk")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(dir)
	message := text(1 << 10)
	failed := make([]error, writers)
	before, begun := ownTime(), time.Now()
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := w; i < n && failed[w] == nil; i += writers {
				name := filepath.Join(dir, fmt.Sprint(i))
				failed[w] = durable.Replace(name, name+".new", 0o600, func(f *os.File) error {
					_, err := f.Write(message)
					return err
				})
			}
		})
	}
	all.Wait()
	return result{n: n, wall: time.Since(begun), cpu: ownTime() - before}, errors.Join(failed...)
}

// ownTime is the processor time of this process.
func ownTime() time.Duration {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func idle(b *bench, s *suite) (result, error) {
	if err := s.control(nil); err != nil {
		return result{}, err
	}
	t, err := s.send()
	if err != nil {
		return result{}, err
	}
	defer t.stop()
	if err := s.running(); err != nil {
		return result{}, err
	}
	if err := b.sleep(time.Second); err != nil {
		return result{}, err
	}
	before, begun := t.cpu(), time.Now()
	err = b.sleep(10 * time.Second)
	return result{n: 1, wall: time.Since(begun), cpu: t.cpu() - before, pss: t.pss()}, err
}
