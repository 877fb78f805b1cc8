// Package preprocess does what is done once to each message that came into the
// queue: it decides which recipients are local and which are remote, and lays the
// message out for delivery (qmail-send(8)).
//
// # What happens to message 457
//
//	queued        mess/20/457, todo/457
//	Cleared       what an earlier attempt left of info, local, remote is removed
//	Created       info/20/457 is there, empty
//	Written       info, local and remote are complete, but not yet on disk
//	Synced        they are on disk, their names in the directories too
//	preprocessed  qmail-clean has removed intd/457 and todo/457
//
// As long as todo/457 is there, preprocessing begins anew at the next start, and
// nothing of the message is delivered. So a crash at any moment costs nothing, if
// only the three files are durable before todo/457 goes: Linux promises that for
// their names when their directories are synced.
//
// # Many at once
//
// Up to 64 messages make a batch. Their files are written one after another, then
// all syncs are issued at the same time, one for each file and one for each
// directory, and then all requests to qmail-clean. On a filesystem with a journal
// most of the syncs share a commit. While one batch waits for the disk, the next
// ones are written. A message that comes alone does not wait for others.
//
// # Trouble
//
// What goes wrong is told in a line of the activity record, and the message stays
// in todo. It is tried again after two minutes, and so on until it works; other
// messages go on meanwhile.
package preprocess

import (
	"sync"
	"time"

	"goqmail/internal/dispatch/activity"
	"goqmail/internal/dispatch/clean"
	"goqmail/internal/dispatch/route"
	"goqmail/queue"
)

const (
	// batchSize is how many messages a batch has at most. Each has up to three
	// files open at a time.
	batchSize = 64
	// batches is how many of them are under way at a time.
	batches = 3

	// rescan is how long todo is left alone when nobody pulls the trigger.
	rescan = 25 * time.Minute
	// again is when a message that made trouble is tried again.
	again = 123 * time.Second
	// opendirAgain is when todo is tried again after it could not be read.
	opendirAgain = 10 * time.Second
)

// A Message is one that has been preprocessed.
type Message struct {
	Number queue.Number
	Lists  [route.Channels]bool // which recipient lists it has
}

// A Report tells what happened to a batch.
type Report struct {
	Lines    activity.Lines
	Messages []Message
}

// A Remover removes todo and intd files: a *clean.Client.
type Remover interface {
	Ask(what clean.Order, numbers ...queue.Number) []byte
}

// A Preprocessor preprocesses whatever comes into todo.
type Preprocessor struct {
	Queue  *queue.Queue
	Routes func() *route.Table // may be called at any time
	Clean  Remover
	Report func(Report) // may be called at any time, by several goroutines
	Now    func() time.Time
	User   int // the number of the user who queues bounces, see Hold

	// crash, in tests, stops the work on a batch at a step.
	crash func(Step) bool

	waiting chan queue.Number
	stop    chan struct{}

	mu      sync.Mutex
	inHand  map[queue.Number]hand
	stopped bool
	running sync.WaitGroup

	bounces submissions
}

// A hand is what becomes of a message in todo.
type hand struct {
	working bool
	again   time.Time // if it is not worked on: when it may be
	behind  uint64    // the last submission that it is kept back behind, or none
}

// Start begins to look through todo: now, whenever the trigger is pulled, and now
// and then.
func (p *Preprocessor) Start() {
	p.waiting = make(chan queue.Number, 4*batchSize)
	p.stop = make(chan struct{})
	p.inHand = make(map[queue.Number]hand)
	for range batches {
		go p.work()
	}
	go p.watch()
}

// Stop begins no more batches and waits for those under way.
func (p *Preprocessor) Stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	close(p.stop)
	p.Queue.PullTrigger() // so that watch looks up
	p.running.Wait()
}

// watch finds messages in todo.
func (p *Preprocessor) watch() {
	trigger := p.Queue.WatchTrigger()
	for {
		wait := p.scan()
		select {
		case <-p.stop:
			return
		default:
		}
		trigger.Wait(wait)
	}
}

// scan hands out every message in todo that is not in hand, and tells how long
// todo may be left alone.
func (p *Preprocessor) scan() time.Duration {
	for n, err := range p.Queue.Numbers(queue.Todo) {
		if err != nil {
			var r Report
			r.Lines.Alert("unable to opendir todo, sleeping...")
			p.Report(r)
			return opendirAgain
		}
		if !p.take(n) {
			continue
		}
		select {
		case p.waiting <- n:
		case <-p.stop:
			return rescan
		}
	}
	return p.forget()
}

// take tells whether a message is to be worked on now, and notes that it is.
func (p *Preprocessor) take(n queue.Number) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.inHand[n]
	if h.working || p.waits(h) {
		return false
	}
	p.inHand[n] = hand{working: true, behind: h.behind}
	return true
}

// waits tells whether the time for a message has not come.
func (p *Preprocessor) waits(h hand) bool {
	return h.again.After(p.Now()) && (h.behind == none || p.bounces.oldest() <= h.behind)
}

// forget lets go of the messages that made trouble and have not been found in todo
// since they could be tried again, and tells when the next can be.
func (p *Preprocessor) forget() time.Duration {
	now := p.Now()
	wait := rescan
	p.mu.Lock()
	defer p.mu.Unlock()
	for n, h := range p.inHand {
		switch {
		case h.working:
		case h.again.After(now):
			wait = min(wait, h.again.Sub(now))
		default:
			delete(p.inHand, n)
		}
	}
	return wait
}

// work preprocesses batches.
func (p *Preprocessor) work() {
	w := newWriter(p)
	for {
		batch := p.next()
		if batch == nil {
			return
		}
		p.finish(w.preprocess(batch))
		p.running.Done()
	}
}

// next waits for a message and takes those that wait behind it too.
func (p *Preprocessor) next() []queue.Number {
	var batch []queue.Number
	select {
	case <-p.stop:
		return nil
	case n := <-p.waiting:
		batch = append(batch, n)
	}
	for len(batch) < batchSize {
		select {
		case n := <-p.waiting:
			batch = append(batch, n)
			continue
		default:
		}
		break
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return nil
	}
	p.running.Add(1)
	return batch
}

// finish reports a batch and lets go of it, except for what is to be tried again.
func (p *Preprocessor) finish(batch []*message) {
	var r Report
	now := p.Now()
	p.mu.Lock()
	for _, m := range batch {
		switch {
		case m.behind != none:
			h := hand{again: now.Add(again), behind: m.behind}
			p.inHand[m.number] = h
			if !p.waits(h) {
				p.Queue.PullTrigger() // they ended meanwhile
			}
		case m.trouble:
			p.inHand[m.number] = hand{again: now.Add(again)}
			p.Queue.PullTrigger() // watch has to think of it, and may be asleep for longer
		default:
			delete(p.inHand, m.number)
		}
		r.Lines.Take(m.lines)
		if m.done {
			r.Messages = append(r.Messages, Message{m.number, m.lists})
		}
	}
	p.mu.Unlock()
	p.Report(r)
}
