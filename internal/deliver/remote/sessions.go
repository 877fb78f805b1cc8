package remote

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Sessions keeps sessions open for the next message to the same host, for as long as
// they are idle for no more than Idle and have had no more than Messages. It also
// bounds the number of connections to a host. It may be used by many deliveries at
// once. Without one (nil), each delivery has a session of its own.
//
// A session is kept only after a message that was accepted, in which the host has
// given the usual answers only, and if its greeting says ESMTP: whoever does not may be
// old or simple enough to expect one message only. One that turns out to be of no use when the next
// message begins is no trouble: there is another, or a new one.
//
// Where a delivery has to wait for a connection, it waits in a queue for whatever
// comes first, a session that is free or the right to open one.
type Sessions struct {
	Idle     time.Duration
	Messages int

	mu     sync.Mutex
	hosts  map[endpoint]*host
	closed bool
}

// An endpoint is what a session is with. The name that was said hello with is a part
// of it: a control file may have changed.
type endpoint struct {
	at   netip.AddrPort
	name string
}

// A host has sessions that are free, and deliveries that wait for one.
type host struct {
	free    []*session // the last one was used last
	open    int        // connections, those in use included
	waiting []chan *session
}

// take returns a session that is free, or nil and true if one may be opened: then
// opened or leave has to be told of it. It waits while there are max connections; 0
// means that there is no limit. False means that the time of ctx is up.
func (s *Sessions) take(ctx context.Context, to endpoint, max int) (*session, bool) {
	if s == nil {
		return nil, true
	}
	s.mu.Lock()
	if s.hosts == nil {
		s.hosts = map[endpoint]*host{}
	}
	h := s.hosts[to]
	if h == nil {
		h = &host{}
		s.hosts[to] = h
	}
	if last := len(h.free) - 1; last >= 0 {
		free := h.free[last]
		h.free = h.free[:last]
		free.timer.Stop()
		s.mu.Unlock()
		return free, true
	}
	if max == 0 || h.open < max {
		h.open++
		s.mu.Unlock()
		return nil, true
	}
	turn := make(chan *session, 1)
	h.waiting = append(h.waiting, turn)
	s.mu.Unlock()
	select {
	case free := <-turn:
		return free, true
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(h.waiting, turn); i >= 0 {
		h.waiting = slices.Delete(h.waiting, i, i+1)
		return nil, false
	}
	return <-turn, true // it came in the last moment
}

// leave notes that a connection is closed, or could not be opened.
func (s *Sessions) leave(to endpoint) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hosts[to]
	if len(h.waiting) > 0 {
		h.next(nil)
		return
	}
	if h.open--; h.open == 0 {
		delete(s.hosts, to)
	}
}

// next gives a session, or the right to open one, to the delivery that waits for it
// longest.
func (h *host) next(free *session) {
	h.waiting[0] <- free
	h.waiting = h.waiting[1:]
}

// keep takes back a session after a message, and tells whether it is kept.
func (s *Sessions) keep(free *session) bool {
	if s == nil || free.messages >= s.Messages {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	h := s.hosts[free.to]
	if len(h.waiting) > 0 {
		h.next(free)
		return true
	}
	h.free = append(h.free, free)
	free.timer = time.AfterFunc(s.Idle, func() { s.expire(free) })
	return true
}

// expire ends a session that nobody has taken.
func (s *Sessions) expire(idle *session) {
	s.mu.Lock()
	h := s.hosts[idle.to]
	found := false
	if h != nil {
		if i := slices.Index(h.free, idle); i >= 0 {
			h.free = slices.Delete(h.free, i, i+1)
			found = true
		}
	}
	s.mu.Unlock()
	if found {
		idle.Quit()
		s.leave(idle.to)
	}
}

// Close ends all sessions that are free. Those in use are not kept any more.
func (s *Sessions) Close() {
	s.mu.Lock()
	s.closed = true
	var idle []*session
	for _, h := range s.hosts {
		idle = append(idle, h.free...)
	}
	s.mu.Unlock()
	for _, free := range idle {
		s.expire(free)
	}
}
