package queue

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// A Mark is what an admin wants done with a message. It is kept as the permissions of
// the message's recipient lists, local/N and remote/N, so that it comes and goes with
// the message, survives restarts, copies and backups, takes no file, and costs no
// look at the start, when the times of the lists are asked for anyway. The bits to
// execute mean nothing to a file that is not a program: qmail-send of C neither sees nor
// changes them, and treats such a message like any other.
//
// Only exactly these permissions are marks. What a wild chmod of all the queue makes
// of them (0644, 0755, 0777, 0711 and so on) is none.
type Mark uint32

// The marks, of which Unmarked is none.
const (
	Unmarked Mark = 0
	Held     Mark = 0o700 // it is not delivered until it is released
	ToBounce Mark = 0o610 // all recipients that are left fail at the next start of qmail-send
	ToQueue  Mark = 0o601 // it is queued anew then
)

// MarkOf tells the mark in the mode of a recipient list.
func MarkOf(mode uint32) Mark {
	switch m := Mark(mode & 0o7777); m {
	case Held, ToBounce, ToQueue:
		return m
	}
	return Unmarked
}

// Mode is the permissions of the lists of a message with a mark.
func (m Mark) Mode() uint32 {
	if m == Unmarked {
		return 0o600
	}
	return uint32(m)
}

// SetMark marks a message, and returns its recipient lists, open, to be synced and
// closed. There may be none. The caller makes sure that the message is not just
// leaving, so that the files are its own.
func (q *Queue) SetMark(n Number, m Mark) (lists []*os.File, err error) {
	for _, k := range []Kind{Local, Remote} {
		f, err := q.OpenFile(k, n, os.O_RDONLY, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return lists, err
		}
		lists = append(lists, f)
		if err := unix.Fchmod(int(f.Fd()), m.Mode()); err != nil {
			return lists, &fs.PathError{Op: "chmod", Path: f.Name(), Err: err}
		}
	}
	return lists, nil
}
