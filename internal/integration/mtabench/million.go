package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"goqmail/internal/host/account"
)

// million starts qmail-send over a queue full of messages that are not due, but for
// one. The queue is filled for the first run and stays for the next ones.
func million(b *bench, s *suite) (result, error) {
	n := b.scaled(1_000_000)
	if err := errors.Join(b.newHome(""), s.control(nil)); err != nil {
		return result{}, err
	}
	if s.count("mess/0/*") == 0 {
		if err := s.fill(n); err != nil {
			return result{}, err
		}
	}
	if err := s.lay(n+1, "local", b.address(""), time.Now()); err != nil {
		return result{}, err
	}
	begun := time.Now()
	t, err := s.send()
	if err != nil {
		return result{}, err
	}
	defer t.stop()
	if err := s.logged("starting delivery 1:"); err != nil {
		return result{}, err
	}
	r := result{n: n, wall: time.Since(begun)}
	// It may go on to look through the queue while it delivers.
	for last := time.Duration(-1); last != r.cpu; {
		last = r.cpu
		if err := b.sleep(time.Second); err != nil {
			return result{}, err
		}
		r.cpu = t.cpu()
	}
	r.pss = t.pss()
	return r, s.logged("end msg")
}

// fill lays out messages 1 to n, which wait for tomorrow.
func (s *suite) fill(n int) error {
	const writers = 4
	failed := make([]error, writers)
	tomorrow := time.Now().Add(24 * time.Hour)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := 1 + w; i <= n && failed[w] == nil && len(s.b.interrupted) == 0; i += writers {
				failed[w] = s.lay(i, "remote", fmt.Sprintf("r%d@host%[1]d.example", i), tomorrow)
			}
		})
	}
	all.Wait()
	return errors.Join(errors.Join(failed...), s.b.sleep(0))
}

// lay lays out a message with one recipient as qmail-send leaves it between two
// attempts. Its number is not that of an inode, which only those care about who queue
// messages.
func (s *suite) lay(number int, list, recipient string, due time.Time) error {
	put := func(dir, text string, mode os.FileMode, owner account.User) (path string, err error) {
		const split = 23
		path = s.path(filepath.Join("queue", dir, fmt.Sprint(number%split), fmt.Sprint(number)))
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			return "", err
		}
		return path, os.Chown(path, int(owner.UID), int(owner.GID))
	}
	_, err1 := put("mess", "Subject: benchmark\n\n", 0o644, s.b.qmailq)
	_, err2 := put("info", "Fsender@"+domain+"\x00", 0o600, s.b.qmails)
	path, err := put(list, "T"+recipient+"\x00", 0o600, s.b.qmails)
	if err == nil {
		err = os.Chtimes(path, due, due)
	}
	return errors.Join(err1, err2, err)
}
