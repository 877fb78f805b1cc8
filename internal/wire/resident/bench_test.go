package resident

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkCall is a request of 1000 bytes and its reply. CPU time is that of both
// sides.
func BenchmarkCall(b *testing.B) {
	text := strings.Repeat("x", 1000)
	for name, parallel := range map[string]int{"one at a time": 0, "many at once": 10} {
		b.Run(name, func(b *testing.B) {
			p := testPool(b, Config{Requests: 1 << 60})
			if _, err := p.Call("", kind(""), fields("echo")); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			before := cpu()
			call := func() {
				if _, err := p.Call("", kind(""), fields("echo", text)); err != nil {
					b.Error(err)
				}
			}
			if parallel == 0 {
				for range b.N {
					call()
				}
			} else {
				b.SetParallelism(parallel)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						call()
					}
				})
			}
			b.StopTimer()
			p.Close()
			b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/call")
		})
	}
}

func cpu() (sum time.Duration) {
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var u unix.Rusage
		unix.Getrusage(who, &u)
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
}
