package preprocess

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"goqmail/queue"
)

// BenchmarkPreprocess is what a queue full of small messages costs, with the disk.
func BenchmarkPreprocess(b *testing.B) {
	for _, size := range []int{1, 8, batchSize} {
		b.Run(fmt.Sprint("batch of ", size), func(b *testing.B) {
			s := newSite(b)
			s.p.Report = func(Report) {}
			w := newWriter(s.p)
			var cpu time.Duration
			n := 0
			for b.Loop() {
				b.StopTimer()
				var batch []queue.Number
				for range size {
					n++
					s.put(b, n, "u1000\x00p6701\x00Fs@x\x00Tjoe@here.example\x00")
					batch = append(batch, queue.Number(n))
				}
				syscall.Sync()
				before := processorTime()
				b.StartTimer()
				s.p.finish(w.preprocess(batch))
				cpu += processorTime() - before
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n), "µs/message")
			b.ReportMetric(float64(cpu.Microseconds())/float64(n), "cpu-µs/message")
			os.RemoveAll(s.dir)
		})
	}
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
