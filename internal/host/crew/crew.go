// Package crew runs functions side by side in goroutines that are used again. A new
// goroutine begins with a small stack, which is copied each time it grows; where
// requests come by the thousand and each goes as deep as the last one, that is much
// of what they cost.
package crew

import (
	"sync"
	"sync/atomic"
)

// maxIdle is how many goroutines wait for the next function at most.
const maxIdle = 64

// A Crew runs functions. Make one with New.
type Crew struct {
	next    chan func()
	idle    atomic.Int32
	running sync.WaitGroup
}

// New makes a crew without a goroutine.
func New() *Crew { return &Crew{next: make(chan func())} }

// Go runs a function in a goroutine, without waiting. It must not be called during
// or after Wait, but from a function that runs.
func (c *Crew) Go(f func()) {
	c.running.Add(1)
	select {
	case c.next <- f:
	default:
		go c.work(f)
	}
}

// work runs a function, then the next ones, unless enough others are idle.
func (c *Crew) work(f func()) {
	for f != nil {
		f()
		c.running.Done()
		if c.idle.Add(1) > maxIdle {
			c.idle.Add(-1)
			return
		}
		f = <-c.next // nil once closed
		c.idle.Add(-1)
	}
}

// Wait waits until all functions have returned, and ends the goroutines.
func (c *Crew) Wait() {
	c.running.Wait()
	close(c.next)
}
