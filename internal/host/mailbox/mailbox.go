// Package mailbox opens and locks a file that several programs append to: an mbox.
//
// The lock is that of flock(2), which the original takes. A mail reader may put a
// new file in place of the one that it holds the lock of, and maildir2mbox(1) does:
// whoever waited for the lock then holds that of a file without a name, and what he
// appends is lost. So a lock counts only if the file is still the one that the
// path names; otherwise that one is opened and locked.
package mailbox

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLocked says that somebody else held the lock all the time.
var ErrLocked = errors.New("locked by another process")

// A File is open for appending.
type File struct {
	*os.File
	Locked bool // false also where the filesystem knows no locks
}

// Open opens a file, which it creates with mode 0600 if need be. It must be a
// regular file: a sync of anything else fails, so that nothing could ever be
// delivered there.
func Open(path string) (*File, error) {
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
	return &File{File: f}, nil
}

// Lock waits for the lock, but not longer than patience; the error is ErrLocked
// then. Where there is a new file at the path meanwhile, that is what is open
// afterwards. The lock is held until Close.
func (f *File) Lock(patience time.Duration) error {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		select {
		case err := <-f.lock():
			if f.Locked = err == nil; !f.Locked {
				return nil
			}
		case <-limit.C:
			return ErrLocked
		}
		if f.named() {
			return nil
		}
		again, err := Open(f.Name())
		if err != nil {
			return err
		}
		f.File.Close()
		f.File = again.File
	}
}

// Close closes the file that is open now, and lets go of the lock.
func (f *File) Close() error { return f.File.Close() }

// lock begins to wait for the lock. It cannot be given up, so it waits in a goroutine
// of its own. Control keeps the descriptor from being closed, and its number from
// being used again, for as long; the lock goes with the last use of the file.
func (f *File) lock() <-chan error {
	done := make(chan error, 1)
	raw, err := f.SyscallConn()
	if err != nil {
		done <- err
		return done
	}
	go func() {
		var err error
		raw.Control(func(fd uintptr) {
			for err = unix.EINTR; err == unix.EINTR; {
				err = unix.Flock(int(fd), unix.LOCK_EX)
			}
		})
		done <- err
	}()
	return done
}

// named tells whether the file is still what its path names. Where that cannot be
// told, it is taken to be.
func (f *File) named() bool {
	path, err := os.Stat(f.Name())
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	open, err := f.Stat()
	return err != nil || os.SameFile(path, open)
}
