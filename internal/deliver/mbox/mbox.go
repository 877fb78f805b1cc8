// Package mbox appends messages to mbox files (mbox(5)).
//
// All messages of a mailbox are in one file, so a delivery
//
//  1. opens the file, which it creates if need be, with mode 0600
//  2. locks it with flock(2), against other deliveries and against mail readers
//  3. appends the message, and syncs the file
//
// When step 3 fails, as on a full disk, the file is cut back to the length it had.
// If the machine crashes meanwhile, the mailbox may end with part of a message;
// the format knows no way around it, and maildirs are for those who mind.
//
// On a filesystem that cannot lock, the message is appended without; it is not cut
// back then, for that could cut off somebody else's.
package mbox

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"goqmail/internal/mail/mboxrd"

	"golang.org/x/sys/unix"
)

// ErrLocked says that somebody else held the lock all the time.
var ErrLocked = errors.New("locked by another process")

// A Mailbox is an open mbox file.
type Mailbox struct {
	file   *os.File
	locked bool
}

// Open opens a mailbox for appending. It must be a regular file: a sync of
// anything else fails, so that nothing could ever be delivered there.
func Open(path string) (*Mailbox, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &Mailbox{file: f}, nil
}

// Lock waits for the lock, but not longer than patience; the error is ErrLocked
// then. It is held until Close.
func (m *Mailbox) Lock(patience time.Duration) error {
	raw, err := m.file.SyscallConn()
	if err != nil {
		return err
	}
	// flock cannot be given up, so it waits in a goroutine of its own. Control keeps
	// the descriptor from being closed, and its number from being used again, for as
	// long; the lock goes with the last use of the file.
	done := make(chan error, 1)
	go func() {
		var err error
		raw.Control(func(fd uintptr) {
			for err = unix.EINTR; err == unix.EINTR; {
				err = unix.Flock(int(fd), unix.LOCK_EX)
			}
		})
		done <- err
	}()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case err := <-done:
		m.locked = err == nil
		return nil
	case <-limit.C:
		return ErrLocked
	}
}

// Append adds a message: its From_ line (mboxrd.FromLine), then the message itself,
// quoted, and a blank line. When it returns nil, the message is there and
// durable; otherwise, if the mailbox is locked, it is what it was before.
func (m *Mailbox) Append(fromLine string, message io.Reader) error {
	length, err := m.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	err = m.write(fromLine, message)
	if err == nil && length == 0 {
		err = m.syncName()
	}
	if err != nil && m.locked {
		err = errors.Join(err, m.file.Truncate(length))
	}
	return err
}

func (m *Mailbox) write(fromLine string, message io.Reader) error {
	w := bufio.NewWriterSize(m.file, 64<<10)
	if _, err := w.WriteString(fromLine); err != nil {
		return err
	}
	q := mboxrd.NewQuoter(w)
	if _, err := io.Copy(q, message); err != nil {
		return err
	}
	if err := q.Close(); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return m.file.Sync()
}

// syncName makes the name of a file durable that may have been created just now.
// In a directory that the user may not read, such as a spool, or on a filesystem
// that does not sync directories, the sync of the new file has to do; on ext4, xfs
// and btrfs it does.
func (m *Mailbox) syncName() error {
	name := m.file.Name()
	dir, err := os.Open(name[:strings.LastIndexByte(name, '/')+1] + ".")
	if err == nil {
		err = errors.Join(dir.Sync(), dir.Close())
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	return err
}

// Close closes the mailbox and lets go of the lock.
func (m *Mailbox) Close() error { return m.file.Close() }
