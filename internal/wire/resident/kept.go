package resident

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/internal/host/child"
)

// A kept child goes through these states, each of them from any before it:
//
//	starting   until it has said hello; calls wait for ready
//	open       it gets requests
//	retiring   it gets none, but does those that it has
//	leaving    it has none, was told that no more will come, and has some seconds
//	gone       the socket is closed; the process is killed if it is still there
//
// One goroutine reads what it says, and sees it out. A timer watches it.
type kept struct {
	pool    *Pool
	key     string
	version fileVersion

	ready   chan struct{} // closed when it has said hello, or refused is set
	refused error         // why it is none to be kept

	socket  *socket
	process *child.Process
	slots   chan struct{} // one element for each request in flight
	retired chan struct{} // closed when it takes no more requests
	gone    chan struct{} // closed when those that it has are lost

	// What follows is guarded by pool.mu.
	open     bool
	retiring bool
	left     bool // told to leave, or gone
	calls    map[uint64]chan record
	asked    uint64 // how many requests it got; the number of the last one
	replied  bool
	heard    time.Time // when it last said something, or began to have something to say
	pinged   uint64    // number of the ping that it has not answered, or 0
	pings    uint64
	timer    *time.Timer
	due      time.Time // when the timer fires
}

// Why a request did not get to the child.
var (
	errNotAsked = errors.New("the resident program did not get the request")
	errRetired  = errors.New("the resident program takes no more requests")
)

func newKept(p *Pool, key string, v fileVersion) *kept {
	return &kept{
		pool: p, key: key, version: v,
		ready:   make(chan struct{}),
		retired: make(chan struct{}),
		gone:    make(chan struct{}),
		calls:   map[uint64]chan record{},
	}
}

// start starts the process and waits for its hello.
func (c *kept) start(command child.Command) {
	defer close(c.ready)
	if c.refused = c.launch(command); c.refused != nil {
		c.pool.mu.Lock()
		c.pool.died(c.key)
		c.forget()
		c.pool.processes--
		c.pool.leaving.Done()
		c.pool.mu.Unlock()
		return
	}
	inFlight, err := c.greet()
	if err != nil {
		c.refused = err
		c.dismiss(errors.Is(err, errProtocol), errors.Is(err, io.EOF))
		return
	}
	c.slots = make(chan struct{}, min(inFlight, c.pool.c.InFlight))
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	c.pool.ours = c.version
	c.open = true
	c.heard = time.Now()
	c.due = c.heard.Add(c.pool.c.Idle)
	c.timer = time.AfterFunc(c.pool.c.Idle, c.tick)
	if c.retiring { // the file was replaced meanwhile
		c.leave()
	}
	go c.read()
}

func (c *kept) launch(command child.Command) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	ours, theirs, err := pair()
	if err != nil {
		return err
	}
	defer theirs.Close()
	complaints := os.Stderr
	if len(command.Files) > 2 && command.Files[2] != nil {
		complaints = command.Files[2]
	}
	command.Path = c.pool.c.Path
	command.Args = append(command.Args[:1:1], Argument)
	command.Files = []*os.File{null, null, complaints, theirs}
	if c.process, err = child.Start(command); err != nil {
		ours.close()
		return err
	}
	c.socket = ours
	return nil
}

// greet waits for the hello.
func (c *kept) greet() (inFlight int, err error) {
	c.socket.f.SetReadDeadline(time.Now().Add(c.pool.c.Hello))
	err = c.socket.receive(0, func(packet []byte, _ []int, lost bool) error {
		r, err := only(packet)
		if err == nil && lost {
			err = fmt.Errorf("%w: hello with descriptors", errProtocol)
		}
		if err == nil {
			inFlight, err = readHello(r, c.version)
		}
		return err
	})
	c.socket.f.SetReadDeadline(time.Time{})
	return inFlight, err
}

// dismiss ends a process that did not say hello. What tells whether that is its way:
// it said something wrong, or it ended its side, and ends by itself.
func (c *kept) dismiss(wrong, ended bool) {
	c.socket.close()
	if !ended {
		c.process.Kill()
	}
	kill := time.AfterFunc(c.pool.c.Hello, c.process.Kill)
	status, err := c.process.Wait()
	kill.Stop()
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	c.pool.judge(c, wrong || err == nil && !status.Crashed)
	c.forget()
	c.pool.processes--
	c.pool.leaving.Done()
}

// call gives the child a request and waits for the reply.
func (c *kept) call(q Request) ([]string, error) {
	if len(q.Files) > MaxFiles {
		return nil, fmt.Errorf("%w: %d descriptors", ErrClassic, len(q.Files))
	}
	if c.pool.c.Full && len(c.slots) == cap(c.slots) {
		return nil, fmt.Errorf("%w: enough in flight", ErrClassic)
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-c.retired:
		return nil, errRetired
	}
	number, answer := c.register()
	if answer == nil {
		return nil, errRetired
	}
	r := record{kind: request, number: number, fields: append([]string{strconv.Itoa(len(q.Files))}, q.Fields...)}
	switch err := c.socket.send(r, q.Files); {
	case errors.Is(err, errSize), errors.Is(err, errDescriptors):
		c.unregister(number)
		return nil, fmt.Errorf("%w: %w", ErrClassic, err)
	case err != nil:
		c.unregister(number)
		c.giveUp()
		return nil, errNotAsked
	}
	a := <-answer
	switch a.kind {
	case reply:
		return a.fields, nil
	case refuse:
		return nil, ErrRefused
	case crash:
		return nil, ErrCrashed
	}
	return nil, ErrLost
}

// register makes room for an answer. There is none, if the child takes no more.
func (c *kept) register() (number uint64, answer chan record) {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	if c.retiring {
		return 0, nil
	}
	if len(c.calls) == 0 {
		c.heard = time.Now()
		c.watch(c.heard.Add(c.pool.c.Silence / 4))
	}
	c.asked++
	answer = make(chan record, 1)
	c.calls[c.asked] = answer
	number = c.asked
	if c.asked >= c.pool.c.Requests {
		c.retire()
	}
	return number, answer
}

func (c *kept) unregister(number uint64) {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	delete(c.calls, number)
	c.rest()
}

// giveUp ends the conversation; read sees the child out. (To close the socket here
// would wait for read, which may be waiting for the pool.)
func (c *kept) giveUp() {
	c.process.Kill()
	c.socket.shutdown(unix.SHUT_RDWR)
}

// read takes what the child says until there is no more, and then sees it out.
func (c *kept) read() {
	var err error
	for err == nil {
		err = c.socket.receive(0, c.take)
	}
	c.pool.mu.Lock()
	untimely := len(c.calls) > 0 || !c.left
	if untimely {
		if c.replied {
			delete(c.pool.backoffs, c.key)
		}
		c.pool.died(c.key)
	}
	c.left = true
	c.retire()
	for _, answer := range c.calls {
		answer <- record{}
	}
	clear(c.calls)
	close(c.gone)
	c.timer.Stop()
	c.pool.mu.Unlock()

	c.socket.close()
	if untimely || !errors.Is(err, io.EOF) {
		c.process.Kill()
	}
	kill := time.AfterFunc(c.pool.departure, c.process.Kill)
	c.process.Wait()
	kill.Stop()
	c.pool.mu.Lock()
	c.pool.processes--
	c.pool.mu.Unlock()
	c.pool.leaving.Done()
}

// take looks at a packet from the child.
func (c *kept) take(packet []byte, _ []int, lost bool) error {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	c.heard = time.Now()
	if lost {
		return fmt.Errorf("%w: descriptors from a child", errProtocol)
	}
	return each(packet, c.takeRecord)
}

// takeRecord looks at one record of it. The pool is locked, here and below.
func (c *kept) takeRecord(r record) error {
	answer := c.calls[r.number]
	switch {
	case r.kind == pong && r.number != 0 && r.number == c.pinged && len(r.fields) == 0:
		c.pinged = 0
	case answer != nil && (r.kind == reply || (r.kind == refuse || r.kind == crash) && len(r.fields) == 0):
		answer <- r
		delete(c.calls, r.number)
		if c.replied = true; r.kind == crash {
			c.retire() // other requests share its memory
		}
		c.rest()
	default:
		return fmt.Errorf("%w: %s %d was not asked for", errProtocol, r.kind, r.number)
	}
	return nil
}

// retire gives the child no more requests.
func (c *kept) retire() {
	if !c.retiring {
		c.retiring = true
		close(c.retired)
	}
	c.forget()
	c.rest()
}

// rest notes that the child may have nothing to do.
func (c *kept) rest() {
	if c.open && len(c.calls) == 0 && c.retiring {
		c.leave()
	}
}

// leave tells the child that no more will come.
func (c *kept) leave() {
	if !c.left {
		c.left = true
		c.socket.shutdown(unix.SHUT_WR)
		c.heard = time.Now()
		c.watch(c.heard.Add(c.pool.departure))
	}
}

// forget makes room for another child of this key.
func (c *kept) forget() {
	if c.pool.children[c.key] == c {
		delete(c.pool.children, c.key)
	}
}

// watch sees to it that tick runs at a time, or earlier.
func (c *kept) watch(at time.Time) {
	if at.Before(c.due) {
		c.due = at
		c.timer.Reset(time.Until(at))
	}
}

// tick looks whether it is time to ping, to let go, or to give up.
func (c *kept) tick() {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	select {
	case <-c.gone:
		return
	default:
	}
	conf := c.pool.c
	now := time.Now()
	quiet := now.Sub(c.heard)
	next := conf.Idle
	switch {
	case c.left:
		if next = c.pool.departure; quiet >= c.pool.departure {
			c.giveUp()
			return
		}
		next -= quiet
	case len(c.calls) > 0:
		next = conf.Silence / 4
		if quiet >= conf.Silence {
			c.giveUp()
			return
		}
		if quiet >= next {
			c.ping()
			next = min(next, conf.Silence-quiet)
			break
		}
		next -= quiet
	case quiet >= conf.Idle:
		c.retire()
		next = c.pool.departure
	default:
		next -= quiet
	}
	c.due = now.Add(next)
	c.timer.Reset(next)
}

// ping asks the child whether it is alive, unless it has been asked already.
func (c *kept) ping() {
	if c.pinged == 0 {
		c.pings++
		c.pinged = c.pings
		// A sender may be waiting for the child to read; that is silence as well.
		go c.socket.trySend(record{kind: ping, number: c.pinged})
	}
}
