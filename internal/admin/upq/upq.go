// Package upq puts the files of a queue into the subdirectories where they belong
// (qmail-upq(8)), when the split of the queue is to be another one, or when files
// are where they do not belong: in a queue from before there was a split, or one that
// was copied together by hand. The split is the number of subdirectories of mess, info,
// local and remote; the file of message n is in n modulo the split.
//
// Nobody may look at the queue meanwhile. qmail-send is kept out by its lock. Everybody
// else who opens the queue refuses one whose subdirectories have gaps in their numbers
// (package queue), and Arrange begins with making a gap: the directory mess/Barrier.
// That is the last thing to go, so that after a crash the queue stays closed, mail
// waits with its senders, and Arrange can be run again.
//
//  1. lock; make mess/Barrier
//  2. make the subdirectories that are missing, with the owner and mode of the others
//  3. move the files, until a pass finds nothing to move
//  4. sync, remove the subdirectories that are too many
//  5. remove mess/Barrier
//
// A qmail-queue that had opened the queue before is not kept out: it works on for a
// moment with the old split. So whatever brings mail in is to be stopped before.
package upq

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"goqmail/internal/host/durable"
	"goqmail/internal/mail/outcome"
	"goqmail/queue"

	"golang.org/x/sys/unix"
)

// Barrier is the subdirectory that makes the gap.
const Barrier = 1 << 32

// MaxSplit is the largest split.
const MaxSplit = 100_000

// passes is how often the files are moved, at most. A second pass finds what a
// qmail-queue has put somewhere during the first.
const passes = 10

var kinds = []queue.Kind{queue.Mess, queue.Info, queue.Local, queue.Remote}

// Arrange gives the queue in a directory a split, and returns how many files it has
// moved. A split of 0 is the one that the queue has.
func Arrange(dir string, split uint64) (moved int, err error) {
	lock, err := queue.LockDir(dir)
	if err != nil {
		return 0, err
	}
	defer lock.Close()
	return ArrangeLocked(dir, split, func(uint64) error { return nil })
}

// ArrangeLocked is Arrange for who has the lock, and does something more, with the split,
// once all files are where they belong and while the queue is still closed.
func ArrangeLocked(dir string, split uint64, more func(split uint64) error) (moved int, err error) {
	if split == 0 {
		if split, err = present(dir); err != nil {
			return 0, err
		}
	}
	if split > MaxSplit {
		return 0, outcome.Fail("a split of %d is more than %d", split, MaxSplit)
	}
	a := arrangement{dir: dir, split: split}
	if err := a.begin(); err != nil {
		return 0, err
	}
	if err := a.move(); err != nil {
		return a.moved, err
	}
	if err := more(split); err != nil {
		return a.moved, err
	}
	return a.moved, a.end()
}

// usualSplit is that of a queue without subdirectories.
const usualSplit = 23

// present is the split that a queue has. Where there are gaps, as the barrier of an
// Arrange that was interrupted makes one, nobody knows what it was to be.
func present(dir string) (uint64, error) {
	mess := filepath.Join(dir, string(queue.Mess))
	entries, err := os.ReadDir(mess)
	if err != nil {
		return 0, err
	}
	var count, highest uint64
	for _, e := range entries {
		if n, isSub := subdirectory(e); isSub {
			count, highest = count+1, max(highest, n)
		}
	}
	switch {
	case count == 0:
		return usualSplit, nil
	case count != highest+1:
		return 0, outcome.Fail("%s has %d subdirectories up to number %d; say which split it shall have", mess, count, highest)
	}
	return count, nil
}

type arrangement struct {
	dir   string
	split uint64
	moved int
}

func (a *arrangement) path(k queue.Kind, sub uint64) string {
	return filepath.Join(a.dir, string(k), strconv.FormatUint(sub, 10))
}

// begin makes the barrier and the subdirectories.
func (a *arrangement) begin() error {
	mess := filepath.Join(a.dir, string(queue.Mess))
	if err := makeLike(mess, a.path(queue.Mess, Barrier)); err != nil {
		return err
	}
	if err := durable.Directory(mess); err != nil {
		return err
	}
	for _, k := range kinds {
		parent := filepath.Join(a.dir, string(k))
		for sub := range a.split {
			if err := makeLike(parent, a.path(k, sub)); err != nil {
				return err
			}
		}
	}
	return nil
}

// makeLike makes a directory, if it is missing, with the owner and mode of another.
func makeLike(model, dir string) error {
	var st unix.Stat_t
	if err := unix.Stat(model, &st); err != nil {
		return &fs.PathError{Op: "stat", Path: model, Err: err}
	}
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	if err == nil {
		err = os.Chown(dir, int(st.Uid), int(st.Gid))
	}
	if err == nil {
		err = os.Chmod(dir, fs.FileMode(st.Mode&0o777))
	}
	return err
}

// move moves files until none is in a wrong place.
func (a *arrangement) move() error {
	for range passes {
		before := a.moved
		for _, k := range kinds {
			if err := a.movePass(k); err != nil {
				return err
			}
		}
		if a.moved == before {
			return nil
		}
	}
	return errors.New("files are still coming in: stop what accepts mail")
}

// movePass moves the files of a kind once: those in subdirectories, and those beside
// them. All that is touched is durable then.
func (a *arrangement) movePass(k queue.Kind) error {
	parent := filepath.Join(a.dir, string(k))
	entries, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	before := a.moved
	for _, e := range entries {
		if _, isSub := subdirectory(e); isSub {
			err = a.moveFrom(k, filepath.Join(parent, e.Name()))
		} else {
			err = a.moveFile(k, parent, e)
		}
		if err != nil {
			return err
		}
	}
	if a.moved == before {
		return nil
	}
	for sub := range a.split {
		if err := durable.Directory(a.path(k, sub)); err != nil {
			return err
		}
	}
	return durable.Directory(parent)
}

func (a *arrangement) moveFrom(k queue.Kind, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := a.moveFile(k, dir, e); err != nil {
			return err
		}
	}
	return nil
}

// moveFile moves a file, unless it is where it belongs, or no message's. One that is
// there already is never replaced.
func (a *arrangement) moveFile(k queue.Kind, dir string, e fs.DirEntry) error {
	n, ok := queue.ParseNumber(e.Name())
	if !ok || !e.Type().IsRegular() {
		return nil
	}
	from := filepath.Join(dir, e.Name())
	to := filepath.Join(a.path(k, uint64(n)%a.split), e.Name())
	if from == to {
		return nil
	}
	// A link and an unlink would do on every filesystem, but two names of a file at a
	// time is what the queue never has.
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if err == unix.ENOENT {
		return nil // its qmail-queue has given it up
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	a.moved++
	return nil
}

// end removes what is too much, the barrier last.
func (a *arrangement) end() error {
	for _, k := range kinds {
		parent := filepath.Join(a.dir, string(k))
		entries, err := os.ReadDir(parent)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if sub, isSub := subdirectory(e); isSub && sub >= a.split && !(k == queue.Mess && sub == Barrier) {
				if err := os.Remove(filepath.Join(parent, e.Name())); err != nil {
					return err
				}
			}
		}
		if err := durable.Directory(parent); err != nil {
			return err
		}
	}
	if err := os.Remove(a.path(queue.Mess, Barrier)); err != nil {
		return err
	}
	return durable.Directory(filepath.Join(a.dir, string(queue.Mess)))
}

// subdirectory reads the number of a subdirectory.
func subdirectory(e fs.DirEntry) (n uint64, ok bool) {
	n, err := strconv.ParseUint(e.Name(), 10, 64)
	return n, err == nil && e.IsDir() && strconv.FormatUint(n, 10) == e.Name()
}

// Report is what an admin is told.
func Report(moved int, dir string) string {
	q, err := queue.Open(dir)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d files moved; the queue is split into %d.", moved, q.Split())
}
