package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/internal/host/account"
)

// A bench has what all workloads use.
type bench struct {
	options
	dir   string // of our own
	user  account.User
	homes int // how often his home was made new

	qmaild, qmailq, qmails account.User

	interrupted chan os.Signal // INT or TERM: to put all back, and end
}

// The ports on loopback, counted from -port.
const (
	sinkPort = iota
	smtpPort
	popPort
)

func newBench(o options) (*bench, error) {
	b := &bench{options: o, interrupted: make(chan os.Signal, 1)}
	signal.Notify(b.interrupted, unix.SIGINT, unix.SIGTERM)
	var err error
	if b.user, err = account.LookupUser(o.user); err != nil {
		return nil, err
	}
	for name, u := range map[string]*account.User{"qmaild": &b.qmaild, "qmailq": &b.qmailq, "qmails": &b.qmails} {
		if *u, err = account.LookupUser(name); err != nil {
			return nil, err
		}
	}
	if b.dir, err = os.MkdirTemp("", "mtabench"); err != nil {
		return nil, err
	}
	return b, os.Chmod(b.dir, 0o755)
}

func (b *bench) close() {
	b.clear(".qmail*")
	b.clear("Maildir*")
	os.RemoveAll(b.dir)
}

// sleep waits, and returns an error when it is time to end.
func (b *bench) sleep(d time.Duration) error {
	select {
	case s := <-b.interrupted:
		b.interrupted <- s // for whoever asks next
		return fmt.Errorf("ended by a signal: %v", s)
	case <-time.After(d):
		return nil
	}
}

func (b *bench) port(i int) int { return b.options.port + i }

func (b *bench) scaled(n int) int { return max(1, int(float64(n)*b.scale)) }

func (b *bench) address(extension string) string { return b.user.Name + extension + "@" + domain }

// text is a message of a size.
func text(size int) []byte {
	var t bytes.Buffer
	fmt.Fprintf(&t, "From: Bench <sender@%s>\nTo: somebody@%[1]s\nSubject: benchmark\nDate: 1 Jan 2026 00:00:00 -0000\nMessage-ID: <bench@%[1]s>\n\n", domain)
	line := []byte("The quick brown fox jumps over the lazy dog, again and again, 0123.\n")
	for t.Len() < size-len(line) {
		t.Write(line)
	}
	for t.Len() < size-1 {
		t.WriteByte('x')
	}
	t.WriteByte('\n')
	return t.Bytes()
}

// newHome makes the user's home new: an empty Maildir, and a .qmail-default. The old
// Maildir is kept until the end: ext4 without a journal creates files slowly where
// thousands were removed minutes ago, and that would be the benchmark's doing.
func (b *bench) newHome(dotQmail string) error {
	old := filepath.Join(b.user.Home, "Maildir")
	b.homes++
	if err := os.Rename(old, fmt.Sprint(old, ".", b.homes)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := b.clear(".qmail*"); err != nil {
		return err
	}
	if dotQmail != "" {
		path := filepath.Join(b.user.Home, ".qmail-default")
		if err := errors.Join(os.WriteFile(path, []byte(dotQmail+"\n"), 0o644), b.own(path)); err != nil {
			return err
		}
	}
	return b.maildir(b.user.Home)
}

// clear removes what a pattern matches in the user's home.
func (b *bench) clear(pattern string) error {
	files, _ := filepath.Glob(filepath.Join(b.user.Home, pattern))
	for _, f := range files {
		if err := os.RemoveAll(f); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) maildir(home string) error {
	for _, d := range []string{"Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur"} {
		path := filepath.Join(home, d)
		if err := errors.Join(os.MkdirAll(path, 0o700), b.own(path)); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) own(path string) error { return os.Lchown(path, int(b.user.UID), int(b.user.GID)) }

// delivered wants a number of messages in maildirs.
func delivered(n int, homes ...string) error {
	got := 0
	for _, h := range homes {
		entries, err := os.ReadDir(filepath.Join(h, "Maildir/new"))
		if err != nil {
			return err
		}
		got += len(entries)
	}
	if got != n {
		return fmt.Errorf("%d messages were delivered instead of %d", got, n)
	}
	return nil
}

func envelope(recipients ...string) []byte {
	return []byte("Fsender@" + domain + "\x00T" + strings.Join(recipients, "\x00T") + "\x00\x00")
}

// A submission runs a program that takes a message, and counts its time.
type submission struct {
	argv     []string
	message  []byte
	envelope []byte // for descriptor 1, if there is one
}

func (s submission) run(b *bench) (time.Duration, error) {
	cmd := exec.Command(s.argv[0], s.argv[1:]...)
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	cmd.Stdin = bytes.NewReader(s.message)
	if s.envelope != nil {
		f, err := os.CreateTemp(b.dir, "envelope")
		if err != nil {
			return 0, err
		}
		defer os.Remove(f.Name())
		defer f.Close()
		if _, err := f.Write(s.envelope); err != nil {
			return 0, err
		}
		f.Seek(0, 0)
		cmd.Stdout = f
	}
	err := cmd.Run()
	if cmd.ProcessState == nil {
		return 0, err
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), err
}

// fanOut runs a submission n times, by several writers at once.
func (b *bench) fanOut(writers, n int, s func(i int) submission) (time.Duration, error) {
	var mu sync.Mutex
	var cpu time.Duration
	var failed error
	work := make(chan int)
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for i := range work {
				if len(b.interrupted) > 0 {
					continue
				}
				t, err := s(i).run(b)
				mu.Lock()
				cpu, failed = cpu+t, errors.Join(failed, err)
				mu.Unlock()
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	all.Wait()
	return cpu, errors.Join(failed, b.sleep(0))
}

// await waits until somebody listens.
func await(address string) error {
	var err error
	for range 3000 {
		var conn net.Conn
		if conn, err = net.Dial("tcp", address); err == nil {
			return conn.Close()
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}
