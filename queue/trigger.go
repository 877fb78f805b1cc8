package queue

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// trigger is a named pipe: qmail-queue writes a byte into it for each message,
// qmail-send waits for them.
const trigger = "lock/trigger"

// PullTrigger wakes qmail-send. That nobody reads from the trigger, that it is
// full or not there is no error: qmail-send looks through todo when it starts,
// whenever it finds a byte in the pipe, and now and then without being woken.
func (q *Queue) PullTrigger() {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Open(q.join(trigger), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return
	}
	unix.Write(fd, []byte{0})
	unix.Close(fd)
}

// A Trigger is what qmail-send waits for. It is for one goroutine.
//
//	t := q.WatchTrigger()
//	for {
//		look through todo
//		t.Wait(25 * time.Minute)
//	}
//
// A message that is queued while todo is looked through ends the next Wait.
type Trigger struct {
	path string
	r, w *os.File
}

// WatchTrigger begins to notice pulls of the trigger.
func (q *Queue) WatchTrigger() *Trigger {
	t := &Trigger{path: q.join(trigger)}
	t.open()
	return t
}

// Wait returns once the trigger was pulled since WatchTrigger or the last Wait,
// and after the time given in any case. Pulls that come together are one.
//
// The pipe is opened anew each time, so that one that was made anew takes effect,
// and one that cannot be opened is looked for again; until then Wait takes the
// whole time.
func (t *Trigger) Wait(limit time.Duration) {
	if t.r == nil {
		time.Sleep(limit)
		t.open()
		return
	}
	var pulls [4096]byte
	t.r.SetReadDeadline(time.Now().Add(limit))
	if _, err := t.r.Read(pulls[:]); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		time.Sleep(limit)
	}
	t.open()
}

// open opens the pipe, and only then lets go of what was open before, so that a
// qmail-queue always finds a reader. A writing end is kept open too, or reading
// would come to an end whenever no qmail-queue has the pipe open.
func (t *Trigger) open() {
	r, err := os.OpenFile(t.path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	w, err := os.OpenFile(t.path, os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		r.Close()
		return
	}
	t.r.Close() // a nil *os.File refuses in peace
	t.w.Close()
	t.r, t.w = r, w
}
