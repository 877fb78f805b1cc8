package queue

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ErrRunning says that another qmail-send has the queue.
var ErrRunning = errors.New("qmail-send is already running")

// Lock takes lock/sendmutex, which qmail-send holds as long as it runs. The lock
// is released when the file is closed, or the process ends in any way.
func (q *Queue) Lock() (*os.File, error) { return LockDir(q.dir) }

// LockDir is Lock for a queue that cannot be opened, for what puts that right.
func LockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir+"/lock/sendmutex", os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if err == unix.EWOULDBLOCK {
			return nil, ErrRunning
		}
		return nil, fmt.Errorf("unable to lock %s: %w", f.Name(), err)
	}
	return f, nil
}
