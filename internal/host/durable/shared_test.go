package durable

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// TestShared: whatever the timing, a sync that a caller returns from began after
// the caller's change, and there are fewer syncs than callers.
func TestShared(t *testing.T) {
	var s Shared
	var changes, durable, syncs atomic.Int64
	atOnce := atomic.Int64{}
	sync1 := func() error {
		if atOnce.Add(1) > 1 {
			t.Error("two syncs at once")
		}
		defer atOnce.Add(-1)
		syncs.Add(1)
		seen := changes.Load() // what is there when the sync begins
		for range rand.N(200) {
			changes.Load()
		}
		durable.Store(seen)
		return nil
	}
	const callers, times = 30, 200
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range times {
				mine := changes.Add(1)
				if err := s.Sync("dir", sync1); err != nil {
					t.Error(err)
				}
				if got := durable.Load(); got < mine {
					t.Errorf("change %d is not synced, only %d", mine, got)
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d syncs for %d callers", syncs.Load(), callers*times)
	if len(s.busy) > 0 {
		t.Error("something still waits")
	}
}

// TestSharedJoins: those who come while a sync runs share the next one; and one
// that fails fails them all, without another try.
func TestSharedJoins(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		result error
		syncs  int64
	}{{nil, 2}, {broken, 1}} {
		synctest.Test(t, func(t *testing.T) {
			var s Shared
			var syncs atomic.Int64
			goOn := make(chan bool)
			results := make(chan error, 6)
			call := func() {
				results <- s.Sync("dir", func() error {
					syncs.Add(1)
					<-goOn
					return c.result
				})
			}
			go call()
			synctest.Wait() // until it syncs
			for range 5 {
				go call()
			}
			synctest.Wait() // until they wait for it
			close(goOn)
			for range 6 {
				if err := <-results; err != c.result {
					t.Errorf("%v, want %v", err, c.result)
				}
			}
			if syncs.Load() != c.syncs {
				t.Errorf("%d syncs, want %d", syncs.Load(), c.syncs)
			}
			if err := s.Sync("dir", func() error { return nil }); err != nil {
				t.Errorf("later: %v", err)
			}
		})
	}
}
