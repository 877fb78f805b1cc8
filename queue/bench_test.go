package queue_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"goqmail/queue"
	"goqmail/queue/queuetest"

	"golang.org/x/sys/unix"
)

// BenchmarkEntry puts messages of 1000 bytes into a queue on the filesystem of
// TMPDIR, some at the same time. CPU time is that of the whole process.
func BenchmarkEntry(b *testing.B) {
	text := []byte(strings.Repeat("0123456789abcde\n", 63))
	envelope := []byte("u1000\x00p4711\x00Fsender@example.org\x00Trecipient@example.org\x00")
	for _, writers := range []int{1, 10, 40, 100} {
		b.Run(fmt.Sprintf("%d writers", writers), func(b *testing.B) {
			q, err := queue.Open(queuetest.New(b, 23))
			if err != nil {
				b.Fatal(err)
			}
			unix.Sync()
			work := make(chan int)
			var all sync.WaitGroup
			b.ResetTimer()
			before := cpu()
			for range writers {
				all.Go(func() {
					for range work {
						if err := enter(q, text, envelope); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for n := range b.N {
				work <- n
			}
			close(work)
			all.Wait()
			b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/message")
		})
	}
}

func enter(q *queue.Queue, text, envelope []byte) error {
	e, err := q.Begin(time.Now())
	if err != nil {
		return err
	}
	if _, err := e.Message.Write(text); err != nil {
		return err
	}
	f, err := e.Envelope()
	if err != nil {
		return err
	}
	if _, err := f.Write(envelope); err != nil {
		return err
	}
	if err := e.Commit(time.Now()); err != nil {
		return err
	}
	q.PullTrigger()
	return nil
}

func cpu() time.Duration {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
