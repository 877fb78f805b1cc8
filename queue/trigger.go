package queue

import (
	"os"

	"golang.org/x/sys/unix"
)

// PullTrigger wakes qmail-send: it writes one byte into lock/trigger. That
// nobody reads there, or that the pipe is full, is no error: qmail-send looks
// through todo when it starts, and a full pipe will wake it.
func (q *Queue) PullTrigger() {
	fd, err := unix.Open(q.join("lock/trigger"), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	unix.Write(fd, []byte{0})
	unix.Close(fd)
}

// A Trigger is the reading end of lock/trigger.
type Trigger struct {
	r, w *os.File
}

// WatchTrigger opens lock/trigger for reading. A writing end is kept open beside
// it, or the pipe would be at its end whenever no qmail-queue has it open.
func (q *Queue) WatchTrigger() (*Trigger, error) {
	path := q.join("lock/trigger")
	r, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	w, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		r.Close()
		return nil, err
	}
	return &Trigger{r, w}, nil
}

// Wait returns when the trigger was pulled since the last Wait. All pulls until
// then are taken together, so whoever looks through todo after Wait finds every
// message that was queued before it returned.
func (t *Trigger) Wait() error {
	var pulls [512]byte
	_, err := t.r.Read(pulls[:])
	return err
}

// Close makes Wait return with an error.
func (t *Trigger) Close() {
	t.r.Close()
	t.w.Close()
}
