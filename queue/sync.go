package queue

import (
	"sync"

	"goqmail/internal/host/durable"
)

// SyncDir makes the names in a directory durable. A failed sync is not to be
// tried again: what it should have written may be gone for good.
func SyncDir(dir string) error { return durable.Directory(dir) }

// atOnce is how many syncs are issued at the same time. Each holds a thread.
const atOnce = 16

// SyncTogether issues several syncs at the same time, so that the filesystem can
// do them in one commit, and returns their errors in the order of the syncs.
func SyncTogether(syncs ...func() error) []error {
	failed := make([]error, len(syncs))
	slots := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	for i, sync := range syncs {
		if i == len(syncs)-1 { // here as well as anywhere
			failed[i] = sync()
			break
		}
		slots <- struct{}{}
		running.Go(func() {
			failed[i] = sync()
			<-slots
		})
	}
	running.Wait()
	return failed
}

// A sharedSync makes one sync of a directory do for all who want it at the same
// time. Who asks while a sync runs is not served by it, for it may have passed by
// what he wants synced; he joins the round after it, and one of those who joined
// does the sync.
//
// That this is as good as a sync for each: sync takes the round away from next
// before it begins, so nobody can join it any more, and whoever has joined did so
// after his change to the directory was made. Hence the change comes before the
// beginning of the sync. Nobody returns before the end of the sync of his round.
//
// A sync that fails also fails those who wait for the next one: it may have been
// the one to write their changes, and the kernel says so only once.
type sharedSync struct {
	mu      sync.Mutex
	running bool
	next    *round // of those who wait for a sync to begin; nil when there are none
}

type round struct {
	lead chan struct{} // one of those who wait gets to do the sync
	done chan struct{} // closed when err is set
	err  error
}

// Sync returns once a sync that began after the call has ended.
func (s *sharedSync) Sync(sync func() error) error {
	s.mu.Lock()
	if s.next == nil {
		s.next = &round{lead: make(chan struct{}, 1), done: make(chan struct{})}
	}
	r := s.next
	if s.running {
		s.mu.Unlock()
		select {
		case <-r.done:
			return r.err
		case <-r.lead:
		}
		s.mu.Lock()
	}
	s.running = true
	s.next = nil
	s.mu.Unlock()

	err := sync()

	s.mu.Lock()
	defer s.mu.Unlock()
	r.end(err)
	switch {
	case s.next == nil:
		s.running = false
	case err != nil:
		s.next.end(err)
		s.next, s.running = nil, false
	default:
		s.next.lead <- struct{}{}
	}
	return err
}

func (r *round) end(err error) {
	r.err = err
	close(r.done)
}

// SyncDirectory makes the names in the directory of a message's file durable,
// together with what other goroutines want synced there.
func (q *Queue) SyncDirectory(k Kind, n Number) error {
	dir := q.directory(k, n)
	s, _ := q.syncs.LoadOrStore(dir, &sharedSync{})
	return s.(*sharedSync).Sync(func() error { return SyncDir(dir) })
}
