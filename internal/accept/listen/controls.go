package listen

import (
	"fmt"
	"sync"
)

// Controls is the protocol by the control files as they are now. When these have
// changed they are read again, for the next connections; one that has begun goes on
// by what it has begun with.
type controls struct {
	read  func() (version, error)
	stamp func() string // changes when a file does

	mu      sync.Mutex
	current *version
	err     error // why there is no current one
	seen    string
	dirty   bool
}

// A version is what the files have said at some time.
type version struct {
	Protocol
	oneByOne bool // a qmail-queue for each message
	users    int  // connections, and one while it is current
}

// get returns the current version, to be given back by done.
func (c *controls) get() (*version, error) {
	stamp := c.stamp()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dirty || stamp != c.seen || c.current == nil {
		c.reread(stamp)
	}
	if c.err != nil {
		return nil, c.err
	}
	c.current.users++
	return c.current, nil
}

func (c *controls) reread(stamp string) {
	old := c.current
	c.seen, c.dirty, c.current = stamp, false, nil
	if v, err := c.read(); err != nil {
		c.err = fmt.Errorf("unable to read controls: %w", err)
	} else {
		v.users = 1
		c.current, c.err = &v, nil
	}
	if old != nil {
		c.release(old)
	}
}

// again has the files read again for the next connection.
func (c *controls) again() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dirty = true
}

func (c *controls) done(v *version) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.release(v)
}

func (c *controls) release(v *version) {
	if v.users--; v.users == 0 {
		v.Close()
	}
}
