package clean

import (
	"io"
	"sync"

	"goqmail/queue"
)

// An Order is what can be asked of qmail-clean.
type Order string

// The orders; the package comment tells what they do.
const (
	Foop Order = "foop"
	Todo Order = "todo"
)

// Answers of qmail-clean. Lost is none of its own: it says that no answer will
// come, and that nobody knows whether the files are there.
const (
	Done    = '+'
	Failed  = '!'
	Refused = 'x'
	Lost    = 0
)

// A Client asks qmail-clean, at the side of qmail-send. Many goroutines may ask at
// once. Requests are written as they come, without waiting for the answers to
// those before, so a batch of them takes one turn of qmail-clean.
type Client struct {
	writing  sync.Mutex // held while requests are written; taken before mu
	requests io.Writer

	mu      sync.Mutex
	waiting []*batch // whose answers are to come, in order
	lost    bool
	onLoss  func()
}

// A batch is what one caller asked for.
type batch struct {
	answers []byte
	missing int
	done    chan struct{}
}

// NewClient begins to read answers. When qmail-clean is found to be gone, onLoss is
// called, once; it must not call the Client.
func NewClient(requests io.Writer, answers io.Reader, onLoss func()) *Client {
	c := &Client{requests: requests, onLoss: onLoss}
	go c.read(answers)
	return c
}

// Ask asks for several messages and waits for the answers, which come in the order
// of the numbers.
func (c *Client) Ask(what Order, numbers ...queue.Number) []byte {
	b := &batch{answers: make([]byte, len(numbers)), missing: len(numbers), done: make(chan struct{})}
	if len(numbers) == 0 || !c.send(what, numbers, b) {
		return b.answers
	}
	<-b.done
	return b.answers
}

func (c *Client) send(what Order, numbers []queue.Number, b *batch) bool {
	var text []byte
	for _, n := range numbers {
		text = append(text, what...)
		text = append(text, '/')
		text = append(text, n.String()...)
		text = append(text, 0)
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if !c.await(b) {
		return false
	}
	if _, err := c.requests.Write(text); err != nil {
		c.mu.Lock()
		c.lose()
		c.mu.Unlock()
	}
	return true
}

// await puts a batch into the line of those who wait.
func (c *Client) await(b *batch) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost {
		return false
	}
	c.waiting = append(c.waiting, b)
	return true
}

// read hands out answers until there are no more. qmail-clean's output is read
// whoever is waiting, so that neither side can stand in the way of the other.
func (c *Client) read(answers io.Reader) {
	var buf [512]byte
	for {
		n, err := answers.Read(buf[:])
		c.mu.Lock()
		for _, a := range buf[:n] {
			c.answer(a)
		}
		if err != nil {
			c.lose()
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
	}
}

// answer gives an answer to whom it belongs. One that nobody waits for means that
// the two sides no longer talk of the same requests: all later ones are suspect.
func (c *Client) answer(a byte) {
	switch {
	case c.lost:
		return
	case len(c.waiting) == 0:
		c.lose()
		return
	}
	b := c.waiting[0]
	if a == Lost {
		a = Refused
	}
	b.answers[len(b.answers)-b.missing] = a
	if b.missing--; b.missing == 0 {
		c.waiting = c.waiting[1:]
		close(b.done)
	}
}

// lose gives up on everything that waits.
func (c *Client) lose() {
	if c.lost {
		return
	}
	c.lost = true
	for _, b := range c.waiting {
		close(b.done)
	}
	c.waiting = nil
	c.onLoss()
}
