// Package queue is qmail's queue on disk: the names of its files, how a message
// enters it, how its records are read, its locks and its trigger.
//
// # Files
//
// A message is known by a number. The directories below queue/ hold these files
// of message 457:
//
//	mess/20/457    the message
//	intd/457       its envelope, while qmail-queue writes it
//	todo/457       its envelope, once it is queued: a link to intd/457
//	info/20/457    the envelope sender, after preprocessing
//	local/20/457   local recipients, after preprocessing
//	remote/20/457  remote recipients, after preprocessing
//	bounce/457     notes on recipients that failed for good
//
// mess, info, local and remote are split: the file of number n is in the
// subdirectory n modulo the split, which is 23 unless the queue was made
// otherwise. pid/ may hold messages that have no number yet, and lock/ three files:
// sendmutex, held by the running qmail-send; trigger, the named pipe that wakes
// it; and tcpto, of qmail-remote.
//
// # States
//
// Which files exist is the state of the message (+ there, - not, ? either):
//
//	S1  -mess -intd -todo -info -local -remote -bounce   unknown
//	S2  +mess -intd -todo -info -local -remote -bounce   arriving, or leaving
//	S3  +mess +intd -todo -info -local -remote -bounce   envelope arriving
//	S4  +mess ?intd +todo ?info ?local ?remote -bounce   queued
//	S5  +mess -intd -todo +info ?local ?remote ?bounce   preprocessed
//
// Every step from one to the next is one link, rename or unlink, so a crash
// leaves a message in one of them. In S2 and S3 nothing was promised to anybody;
// after Ossified qmail-send has such files removed. That is safe since no message
// is queued that took longer than Death to come in.
//
// Guarantee: if mess/457 exists, it has inode number 457. The filesystem hands
// the numbers out, so no two messages can have the same one.
//
// # Durability
//
// A name in a directory survives a crash on Linux only after the directory is
// synced. Entry.Commit tells what is synced in which order, and why.
package queue

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/internal/host/durable"
)

const (
	// Death is how long a message may take from Begin to Commit.
	Death = 24 * time.Hour
	// Ossified is the age at which what a dead qmail-queue left behind is
	// removed. It must be well above Death.
	Ossified = 36 * time.Hour
)

// A Number is what a message is known by: the inode number of its mess file.
type Number uint64

func (n Number) String() string { return strconv.FormatUint(uint64(n), 10) }

// ParseNumber reads a file name of the queue. It takes decimal digits without a
// leading zero and nothing else.
func ParseNumber(name string) (Number, bool) {
	if name == "" || name[0] < '1' || name[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseUint(name, 10, 64)
	return Number(n), err == nil
}

// A Kind is a directory of the queue.
type Kind string

// The directories that have a file per message.
const (
	Mess   Kind = "mess"
	Intd   Kind = "intd"
	Todo   Kind = "todo"
	Info   Kind = "info"
	Local  Kind = "local"
	Remote Kind = "remote"
	Bounce Kind = "bounce"
)

// pids is where a message is before it has a number.
const pids = "pid"

// split tells whether a directory has subdirectories.
func (k Kind) split() bool {
	switch k {
	case Mess, Info, Local, Remote:
		return true
	}
	return false
}

// A Queue is a queue directory. Its methods may be called by many goroutines.
type Queue struct {
	dir   string
	split uint64
	mess  place         // what mess was when its subdirectories were counted
	begun atomic.Uint64 // how many files this process has begun, and its number
	named atomic.Bool   // the filesystem has no files without names
	syncs durable.Shared
}

// usualSplit is how a queue is split that does not say otherwise.
const usualSplit = 23

// Open finds out how the queue in a directory is split: the subdirectories of
// mess are 0, 1, 2 and so on without a gap, or it is an error, since with a wrong
// split the files of a message could not be found again. A queue without mess is
// taken to have the usual split. Open keeps nothing open and needs no closing.
func Open(dir string) (*Queue, error) {
	q := &Queue{dir: dir, split: usualSplit}
	q.begun.Store(uint64(os.Getpid()))
	if _, err := os.Stat(dir + "/."); err != nil { // the dot asks for the right to enter
		return nil, fmt.Errorf("unable to open queue: %w", err)
	}
	mess := q.join(string(Mess))
	q.mess = placeOf(mess)
	entries, err := os.ReadDir(mess)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("unable to open queue: %w", err)
	}
	var count, highest uint64
	for _, e := range entries {
		if n, err := strconv.ParseUint(e.Name(), 10, 64); err == nil {
			count, highest = count+1, max(highest, n)
		}
	}
	switch {
	case count == 0:
		return q, nil
	case count != highest+1:
		return nil, fmt.Errorf("unable to open queue: %s: %d subdirectories up to number %d", mess, count, highest)
	}
	q.split = count
	return q, nil
}

// A place is a directory with what is in it.
type place struct {
	dev, ino     uint64
	mtime, ctime int64
}

// placeOf looks at a directory; it is zero where there is none.
func placeOf(dir string) place {
	var st unix.Stat_t
	if unix.Stat(dir, &st) != nil {
		return place{}
	}
	return place{uint64(st.Dev), st.Ino, st.Mtim.Nano(), st.Ctim.Nano()}
}

// Changed tells whether the queue was moved or made anew since it was opened, so that
// it must be opened again. It is for programs that keep a queue open for long.
func (q *Queue) Changed() bool {
	now := placeOf(q.join(string(Mess)))
	return now != q.mess || now == place{}
}

// Split is how many subdirectories mess, info, local and remote have.
func (q *Queue) Split() uint64 { return q.split }

// Path is the path of a file of a message.
func (q *Queue) Path(k Kind, n Number) string { return q.join(q.Name(k, n)) }

// Name is the name of a file of a message below the queue directory, such as
// mess/20/457. Log lines and the pipes between programs have it so.
func (q *Queue) Name(k Kind, n Number) string {
	if k.split() {
		return string(k) + "/" + q.ID(n)
	}
	return string(k) + "/" + n.String()
}

// OpenFile opens a file of a message as os.OpenFile does. The file is not given to the
// runtime's poller, which a file on a disk has no use for: that would take six system
// calls more.
func (q *Queue) OpenFile(k Kind, n Number, flags int, mode uint32) (*os.File, error) {
	path := q.Path(k, n)
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, mode)
		switch err {
		case nil:
			return os.NewFile(uintptr(fd), path), nil
		case unix.EINTR:
			continue
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
}

// ID is how qmail-send names a message to the spawners: 20/457.
func (q *Queue) ID(n Number) string {
	return strconv.FormatUint(uint64(n)%q.split, 10) + "/" + n.String()
}

func (q *Queue) join(elem ...string) string { return q.dir + "/" + strings.Join(elem, "/") }

// directory is where the file of a message is.
func (q *Queue) directory(k Kind, n Number) string { return filepath.Dir(q.Path(k, n)) }
