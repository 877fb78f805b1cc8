package ipme

import (
	"sync"
	"time"
)

// Recent asks for the addresses of this machine, but not more than once in a while. It
// may be used by many at once.
type Recent struct {
	While time.Duration

	mu  sync.Mutex
	at  time.Time
	set Set
}

// Addresses returns the addresses as they were a While ago at the most.
func (r *Recent) Addresses() (Set, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); r.set == nil || now.Sub(r.at) >= r.While {
		set, err := Addresses()
		if err != nil {
			return nil, err
		}
		r.set, r.at = set, now
	}
	return r.set, nil
}
