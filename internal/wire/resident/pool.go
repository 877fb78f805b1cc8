package resident

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/internal/host/child"
)

// A Config says what a Pool keeps, and how long. Where a number is 0, the one in
// parentheses holds.
type Config struct {
	// Path of the program. It is looked at for each request.
	Path string

	// Ours, when not nil, decides whether a file is our own program before it is
	// ever started; a parent that is root has it so (see package vouch). Otherwise
	// each version of the file gets one trial, in which it sees the argument and
	// empty descriptors: a foreign program does what it does without a message.
	Ours func(program *os.File) bool

	Children int           // how many processes at most, of all keys (256)
	InFlight int           // requests at once in one child (100)
	Full     bool          // a request above that gets ErrClassic, rather than waiting
	Requests uint64        // a child is replaced after so many (10000)
	Idle     time.Duration // and when it had nothing to do for so long (30 s)
	Silence  time.Duration // and given up when it has, but says nothing for so long (60 s)
	Hello    time.Duration // how long it may take to say hello (15 s)
}

const (
	// A key whose child died is left alone for a time that doubles with each death
	// before a reply, between these.
	firstBackoff, lastBackoff = time.Second, 5 * time.Minute
	// doubtful is how long the verdict of a trial holds that ended in silence or by
	// a signal: the system may have been slow, or someone killed it.
	doubtful = 10 * time.Minute
)

// A Pool keeps children of one program, one for each key. It may be used by many
// goroutines.
type Pool struct {
	c         Config
	departure time.Duration // how long a child may take to leave that was told to

	mu        sync.Mutex // guards all that follows, and the state of each child
	children  map[string]*kept
	processes int // those in children, and those that are about to leave
	backoffs  map[string]backoff
	ours      fileVersion // the last version that turned out to be our program
	foreign   fileVersion // the last one that turned out not to be
	foreignTo time.Time   // until when that is believed; zero means for good
	closed    bool
	leaving   sync.WaitGroup // a count of processes, for Close
}

type backoff struct {
	until time.Time
	delay time.Duration
}

// NewPool makes a pool without a process.
func NewPool(c Config) *Pool {
	set := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
	}
	setTime := func(v *time.Duration, def time.Duration) {
		if *v == 0 {
			*v = def
		}
	}
	set(&c.Children, 256)
	set(&c.InFlight, 100)
	if c.Requests == 0 {
		c.Requests = 10000
	}
	setTime(&c.Idle, 30*time.Second)
	setTime(&c.Silence, time.Minute)
	setTime(&c.Hello, 15*time.Second)
	return &Pool{c: c, departure: 10 * time.Second, children: map[string]*kept{}, backoffs: map[string]backoff{}}
}

// Call gives a request to the child of a key, and waits for the reply. The child is
// started where there is none: command tells how. Its Path is that of the Pool,
// its Args is argument 0, and of its Files only descriptor 2 counts, which is that
// of this process by default. The key must stand for all that command depends on.
//
// The files of the request stay open; the child gets copies.
func (p *Pool) Call(key string, command func() child.Command, q Request) (reply []string, err error) {
	for deaths := 0; deaths < 3; {
		c, err := p.child(key, command)
		if err != nil {
			return nil, err
		}
		switch reply, err = c.call(q); err {
		default:
			return reply, err
		case errRetired: // it has had others meanwhile, so this comes to an end
		case errNotAsked:
			deaths++
		}
	}
	return nil, fmt.Errorf("%w: its processes end too soon", ErrClassic)
}

// Close lets the children finish what they do, and waits until all are gone. Calls
// that come later get ErrClassic.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	for _, c := range p.children {
		c.retire()
	}
	p.mu.Unlock()
	p.leaving.Wait()
}

// child returns the child of a key, which has said hello.
func (p *Pool) child(key string, command func() child.Command) (*kept, error) {
	v, err := versionOf(p.c.Path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrClassic, err)
	}
	p.mu.Lock()
	c := p.children[key]
	if c != nil && c.version != v {
		c.retire()
		c = nil
	}
	if c == nil {
		if err := p.allowed(key, v); err != nil {
			p.mu.Unlock()
			return nil, fmt.Errorf("%w: %w", ErrClassic, err)
		}
		c = newKept(p, key, v)
		p.children[key] = c
		p.processes++
		p.leaving.Add(1)
		p.mu.Unlock()
		c.start(command())
	} else {
		p.mu.Unlock()
	}
	<-c.ready
	if c.refused != nil {
		return nil, fmt.Errorf("%w: %w", ErrClassic, c.refused)
	}
	return c, nil
}

// allowed tells why no child is to be started now. The pool is locked.
func (p *Pool) allowed(key string, v fileVersion) error {
	now := time.Now()
	switch {
	case p.closed:
		return errors.New("no more processes are kept")
	case p.foreign == v && (p.foreignTo.IsZero() || now.Before(p.foreignTo)):
		return errors.New("a foreign program")
	case p.backoffs[key].until.After(now):
		return errors.New("its last process died")
	case p.processes >= p.c.Children:
		if p.processes == len(p.children) { // none is about to leave
			p.retireIdle()
		}
		return errors.New("too many processes")
	case p.c.Ours != nil && p.ours != v:
		if err := p.examine(v); err != nil {
			p.foreign, p.foreignTo = v, time.Time{}
			return err
		}
		p.ours = v
	}
	return nil
}

// examine asks Ours about a version of the file.
func (p *Pool) examine(v fileVersion) error {
	f, err := os.Open(p.c.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	if statVersion(&st) != v || !p.c.Ours(f) {
		return errors.New("not our own program")
	}
	return nil
}

// retireIdle makes room: the child that has been idle for longest goes.
func (p *Pool) retireIdle() {
	var oldest *kept
	for _, c := range p.children {
		if c.open && len(c.calls) == 0 && (oldest == nil || c.heard.Before(oldest.heard)) {
			oldest = c
		}
	}
	if oldest != nil {
		oldest.retire()
	}
}

// judge draws the conclusions from a child that did not say hello. final tells
// that another trial would end the same way. The pool is locked.
func (p *Pool) judge(c *kept, final bool) {
	if p.ours == c.version {
		p.died(c.key)
		return
	}
	p.foreign, p.foreignTo = c.version, time.Time{}
	if !final {
		p.foreignTo = time.Now().Add(doubtful)
	}
}

// died leaves a key alone for a while. The pool is locked.
func (p *Pool) died(key string) {
	now := time.Now()
	for k, b := range p.backoffs {
		if k != key && now.Sub(b.until) > b.delay {
			delete(p.backoffs, k)
		}
	}
	delay := min(max(firstBackoff, 2*p.backoffs[key].delay), lastBackoff)
	p.backoffs[key] = backoff{now.Add(delay), delay}
}
