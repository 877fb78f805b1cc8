package crew

import (
	"sync/atomic"
	"testing"
)

// TestGo: every function runs, and as many at once as there are.
func TestGo(t *testing.T) {
	c := New()
	const n = 5 * maxIdle
	var ran atomic.Int32
	for range 3 {
		all := make(chan bool)
		for range n {
			c.Go(func() {
				if ran.Add(1)%n == 0 {
					close(all)
				}
				<-all
			})
		}
		<-all
	}
	c.Go(func() { c.Go(func() { ran.Add(1) }) })
	c.Wait()
	if got := ran.Load(); got != 3*n+1 {
		t.Errorf("%d functions ran", got)
	}
	if idle := c.idle.Load(); idle > maxIdle {
		t.Errorf("%d idle", idle)
	}
}

func BenchmarkGo(b *testing.B) {
	c := New()
	defer c.Wait()
	done := make(chan bool)
	for b.Loop() {
		c.Go(func() { deep(40); done <- true })
		<-done
	}
}

// deep needs some stack.
func deep(n int) byte {
	var room [256]byte
	if n == 0 {
		return room[0]
	}
	room[n%256] = deep(n - 1)
	return room[(n+1)%256]
}
