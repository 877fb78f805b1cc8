package durable

import "sync"

// Shared makes one sync of a directory do for all who want it at the same time. Who
// asks while a sync runs is not served by it, for it may have passed by what he wants
// synced; he joins the round after it, and one of those who joined does the sync. The
// zero Shared is ready; many goroutines may use it.
//
// That this is as good as a sync for each: sync takes the round away from next
// before it begins, so nobody can join it any more, and whoever has joined did so
// after his change to the directory was made. Hence the change comes before the
// beginning of the sync. Nobody returns before the end of the sync of his round.
//
// A sync that fails also fails those who wait for the next one: it may have been
// the one to write their changes, and the kernel says so only once.
type Shared struct {
	mu   sync.Mutex
	busy map[string]*busy
}

// A busy directory is one that a sync runs for.
type busy struct {
	next *round // of those who wait for a sync to begin; nil when there are none
}

type round struct {
	lead chan struct{} // one of those who wait gets to do the sync
	done chan struct{} // closed when err is set
	err  error
}

// Sync returns once a sync of a directory that began after the call has ended.
func (s *Shared) Sync(dir string, sync func() error) error {
	s.mu.Lock()
	d, running := s.busy[dir]
	if !running {
		if s.busy == nil {
			s.busy = map[string]*busy{}
		}
		d = &busy{}
		s.busy[dir] = d
	}
	if d.next == nil {
		d.next = &round{lead: make(chan struct{}, 1), done: make(chan struct{})}
	}
	r := d.next
	if running {
		s.mu.Unlock()
		select {
		case <-r.done:
			return r.err
		case <-r.lead:
		}
		s.mu.Lock()
	}
	d.next = nil
	s.mu.Unlock()

	err := sync()

	s.mu.Lock()
	defer s.mu.Unlock()
	r.end(err)
	switch {
	case d.next == nil:
		delete(s.busy, dir)
	case err != nil:
		d.next.end(err)
		delete(s.busy, dir)
	default:
		d.next.lead <- struct{}{}
	}
	return err
}

func (r *round) end(err error) {
	r.err = err
	close(r.done)
}
