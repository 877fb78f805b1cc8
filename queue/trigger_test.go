package queue_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"goqmail/queue/queuetest"

	"golang.org/x/sys/unix"
)

// long is a time that no test is to wait for.
const long = time.Hour

func TestTrigger(t *testing.T) {
	q := open(t, queuetest.New(t, 1))
	q.PullTrigger() // nobody is there
	trigger := q.WatchTrigger()
	q.PullTrigger()
	q.PullTrigger()
	trigger.Wait(long)              // both at once
	trigger.Wait(time.Microsecond)  // none is left
	go func() { q.PullTrigger() }() // comes while waiting, or before
	trigger.Wait(long)              //
	for range 70_000 {              // more than a pipe holds
		q.PullTrigger()
	}
	trigger.Wait(long)
}

// TestTriggerMadeAnew: a named pipe that was replaced, or that was not there at
// first, works from the next Wait on.
func TestTriggerMadeAnew(t *testing.T) {
	dir := queuetest.New(t, 1)
	q := open(t, dir)
	path := filepath.Join(dir, "lock/trigger")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	trigger := q.WatchTrigger()
	must(os.Remove(path))
	trigger.Wait(time.Microsecond)
	must(unix.Mkfifo(path, 0o622))
	trigger.Wait(time.Microsecond)
	q.PullTrigger()
	trigger.Wait(long)

	must(os.Remove(path))
	trigger = q.WatchTrigger()
	trigger.Wait(time.Microsecond)
	must(unix.Mkfifo(path, 0o622))
	trigger.Wait(time.Microsecond)
	q.PullTrigger()
	trigger.Wait(long)
}
