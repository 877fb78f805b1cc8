package send

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"

	"goqmail/internal/dispatch/activity"
	"goqmail/internal/dispatch/bounce"
	"goqmail/internal/dispatch/route"
	"goqmail/internal/dispatch/schedule"
	"goqmail/internal/mail/fold"
	"goqmail/internal/wire/queuectl"
	"goqmail/queue"

	"golang.org/x/sys/unix"
)

// An admin is what qmail-send keeps of what admins have asked for. It belongs to the
// scheduler.
type admin struct {
	listener *queuectl.Listener
	complete chan struct{} // closed when all messages are known
	replies  replies
	paused   hosts
	held     map[queue.Number][]resting // messages that are held, with what was due
	orders   map[queue.Number]*order    // that wait until the message's lists are closed
}

func newAdmin() admin {
	return admin{complete: make(chan struct{}), held: make(map[queue.Number][]resting), orders: make(map[queue.Number]*order)}
}

// A resting entry is one that is not in the queue of its channel.
type resting struct {
	*channel
	schedule.Entry
}

// hosts are those that no deliveries are started to.
type hosts struct{ fold.Set }

// hasHostOf tells whether the host of an address is one of them.
func (h hosts) hasHostOf(address []byte) bool {
	return len(h.Set) > 0 && h.Has(string(address[bytes.LastIndexByte(address, '@')+1:]))
}

// An order is to remove a message, to bounce it, or to queue it anew. It is carried out
// beside the scheduler, as an ending (ends.go), on a message that nobody else has: its
// entries are taken out of the queues first, its lists are read no further, and it
// waits until their deliveries are over and they are closed.
type order struct {
	verb   queuectl.Verb
	reason string
	done   chan queuectl.Result // takes one without waiting
}

// settle tells what became of the order.
func (o *order) settle(r queuectl.Result) { o.done <- r }

// withdraw takes the entries of messages out of all queues.
func (s *scheduler) withdraw(numbers []queue.Number) map[queue.Number][]resting {
	wanted := make(map[queue.Number]bool, len(numbers))
	for _, n := range numbers {
		wanted[n] = true
	}
	of := func(n queue.Number) bool { return wanted[n] }
	taken := make(map[queue.Number][]resting)
	for _, c := range s.channels {
		for _, e := range c.queue.Take(of) {
			taken[e.Number] = append(taken[e.Number], resting{c, e})
		}
	}
	for _, e := range s.finished.Take(of) {
		taken[e.Number] = append(taken[e.Number], resting{nil, e})
	}
	return taken
}

// putBack undoes withdraw.
func (s *scheduler) putBack(entries []resting) {
	for _, r := range entries {
		if r.channel == nil {
			s.finished.Push(r.Entry)
		} else {
			s.rest(r.channel, r.Entry)
		}
	}
}

// openLists tells whether a message has lists that are open or being ended, and whether it is
// leaving by itself.
func (s *scheduler) openLists(n queue.Number) (open, leaving bool) {
	for _, c := range s.channels {
		if l := c.lists[n]; l != nil {
			open = true
			leaving = leaving || l.refs == 0 && l.ending.last
		}
	}
	return open, leaving
}

// stopMessage sees to it that no more deliveries of a message are started.
func (s *scheduler) stopMessage(n queue.Number) {
	for _, c := range s.channels {
		if c.reading != nil && c.reading.number == n {
			s.leave(c)
		}
		for i, l := range c.aside {
			if l.number == n {
				c.aside = slices.Delete(c.aside, i, i+1)
				s.stopReading(l)
				break
			}
		}
	}
}

// order orders something about messages that are known.
func (s *scheduler) order(numbers []queue.Number, orderFor func() *order) []*order {
	orders := make([]*order, len(numbers))
	taken := s.withdraw(numbers)
	for i, n := range numbers {
		open, leaving := s.openLists(n)
		_, held := s.admin.held[n]
		entries := taken[n]
		delete(taken, n) // it may be named twice
		o := orderFor()
		orders[i] = o
		switch {
		case s.admin.orders[n] != nil, leaving:
			s.putBack(entries)
			o.settle(queuectl.Result{Number: n, Code: queuectl.Busy})
		case open:
			delete(s.admin.held, n)
			s.admin.orders[n] = o
			s.stopMessage(n)
		case held || entries != nil:
			delete(s.both, n)
			s.end(ending{number: n, order: o})
		default:
			o.settle(queuectl.Result{Number: n, Code: queuectl.Unknown})
		}
	}
	return orders
}

// letGo is called when the last delivery of a list is over and there is an order for its
// message.
func (s *scheduler) letGo(l *list) {
	delete(l.lists, l.number)
	s.seize(l.number)
}

// seize has an order carried out once no list of its message is open.
func (s *scheduler) seize(n queue.Number) {
	if open, _ := s.openLists(n); open {
		return
	}
	o := s.admin.orders[n]
	delete(s.admin.orders, n)
	delete(s.both, n)
	s.end(ending{number: n, order: o})
}

// carriedOut is called when an order is. A message about which that failed is looked at
// again after a while, as if it had just been found.
func (s *scheduler) carriedOut(e ended) {
	r := queuectl.Result{Number: e.number, Code: queuectl.Done}
	switch {
	case e.failed != nil:
		r.Code, r.Text = queuectl.Failed, e.failed.Error()
		s.unknown.Push(schedule.Entry{Due: s.now + sysfail, Number: e.number})
	case e.undone:
		r.Code = queuectl.Later
		s.finished.Push(schedule.Entry{Due: s.now + sysfail, Number: e.number})
	}
	e.order.settle(r)
}

// marked takes a message up that is to be treated otherwise than others, and tells
// whether it was.
func (s *scheduler) marked(m found) bool {
	switch m.mark {
	case queue.Held:
		s.admin.held[m.number] = nil
	case queue.ToBounce:
		s.end(ending{number: m.number, order: &order{verb: queuectl.Bounce, done: make(chan queuectl.Result, 1)}})
		return true
	case queue.ToQueue:
		s.end(ending{number: m.number, order: &order{verb: queuectl.Requeue, done: make(chan queuectl.Result, 1)}})
		return true
	}
	return false
}

// carryOutOrder carries an order out, beside the scheduler. A crash leaves a message
// that is delivered to all recipients that are not done, so none is lost; but a
// bounce that tells of them, or a second copy, may have been sent.
func (s *scheduler) carryOutOrder(e ending, result *ended) {
	var err error
	switch e.order.verb {
	case queuectl.Bounce:
		err = s.failAll(e.number, e.order.reason, &result.lines)
	case queuectl.Requeue:
		err = s.requeue(e.number, &result.lines)
	case queuectl.Delete:
		// Notes go first: without lists and with notes, it would be a message to bounce.
		err = s.unlink(queue.Bounce, e.number)
	}
	if err == nil {
		err = errors.Join(s.unlink(queue.Local, e.number), s.unlink(queue.Remote, e.number))
	}
	switch {
	case err != nil:
		result.failed = err
	case e.order.verb == queuectl.Delete:
		result.undone = !s.removeMessage(e.number, &result.lines)
	default:
		result.undone = !s.endMessage(e.number, &result.lines)
	}
}

// unlink removes a file of a message, if it is there.
func (s *scheduler) unlink(k queue.Kind, n queue.Number) error {
	if err := unix.Unlink(s.q.Path(k, n)); err != nil && err != unix.ENOENT {
		return &fs.PathError{Op: "unlink", Path: s.q.Name(k, n), Err: err}
	}
	return nil
}

// givenUp is what a sender is told without a reason.
const givenUp = "The administrator of the mail system has given up on this message."

// failAll makes failures of all recipients that are not done: notes, on disk, and then the
// marks, as with any other failure (notes.go).
func (s *scheduler) failAll(n queue.Number, reason string, lines *activity.Lines) (err error) {
	if reason == "" {
		reason = givenUp
	}
	notes, size, err := s.openNotes(n)
	if err != nil {
		return err
	}
	defer notes.Close()
	routes := s.routes.Load()
	w := bufio.NewWriter(notes)
	_, err = s.eachUndone(n, func(_ *os.File, r queue.Record) error {
		_, err := w.Write(bounce.Note(routes.Original(string(r.Text)), reason))
		return err
	})
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = errors.Join(queue.SyncTogether(notes.Sync, func() error { return s.q.SyncDirectory(queue.Bounce, n) })...)
	}
	if err != nil {
		notes.Truncate(size)
		if size == 0 {
			unix.Unlink(s.q.Path(queue.Bounce, n))
		}
		return err
	}
	if _, err = s.eachUndone(n, func(list *os.File, r queue.Record) error { return queue.MarkDone(list, r.Offset) }); err != nil {
		lines.Warning("trouble marking recipients of msg ", n.String(), "; message will be delivered twice!")
	}
	return nil
}

// requeue submits a message again to the recipients that are not done. Once qmail-queue
// has it, the message here is done.
func (s *scheduler) requeue(n queue.Number, lines *activity.Lines) error {
	sender, _, err := s.info(n)
	if err != nil {
		return err
	}
	submission := s.preprocessor.Hold()
	defer s.preprocessor.Release(submission)
	m, err := s.Bounces.Open()
	if err != nil {
		return err
	}
	defer m.Abandon()
	text, err := s.q.OpenFile(queue.Mess, n, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer text.Close()
	if _, err := io.Copy(m, text); err != nil {
		return err
	}
	m.From(sender)
	routes := s.routes.Load()
	count, err := s.eachUndone(n, func(_ *os.File, r queue.Record) error {
		m.To(routes.Original(string(r.Text)))
		return nil
	})
	if err != nil || count == 0 {
		return err
	}
	if err := m.Close(); err != nil {
		return err
	}
	lines.Requeued(n, m.Pid())
	return nil
}

// eachUndone goes through the recipients of a message that are not done, and counts
// them. A list that is not whole is an error.
func (s *scheduler) eachUndone(n queue.Number, do func(list *os.File, r queue.Record) error) (count int, err error) {
	for c := range route.Channel(route.Channels) {
		list, err := s.q.OpenFile(c.Kind(), n, os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return count, err
		}
		records := queue.NewRecordReader(list, 0)
		for err == nil {
			var r queue.Record
			if r, err = records.Next(); err == nil && r.Kind == 'T' {
				count++
				err = do(list, r)
			}
		}
		list.Close()
		if err != io.EOF {
			return count, err
		}
	}
	return count, nil
}

// hold holds messages. The lists that it returns are to be synced and closed.
func (s *scheduler) hold(numbers []queue.Number) []change {
	taken := s.withdraw(numbers)
	return s.change(numbers, func(n queue.Number) (queue.Mark, queuectl.Result) {
		_, held := s.admin.held[n]
		open, leaving := s.openLists(n)
		entries := taken[n]
		delete(taken, n) // it may be named twice
		switch {
		case s.admin.orders[n] != nil, leaving, len(entries) == 1 && entries[0].channel == nil:
			s.putBack(entries)
			return queue.Unmarked, queuectl.Result{Code: queuectl.Busy}
		case held:
			return queue.Held, queuectl.Result{Code: queuectl.Done}
		case open || entries != nil:
			s.admin.held[n] = entries
			s.stopMessage(n)
			return queue.Held, queuectl.Result{Code: queuectl.Done}
		}
		return queue.Unmarked, queuectl.Result{Code: queuectl.Unknown}
	})
}

// unhold makes messages that are held due now. The lists are as with hold.
func (s *scheduler) unhold(numbers []queue.Number) []change {
	waiting := s.withdraw(numbers)
	for _, entries := range waiting {
		s.putBack(entries)
	}
	return s.change(numbers, func(n queue.Number) (queue.Mark, queuectl.Result) {
		entries, held := s.admin.held[n]
		open, _ := s.openLists(n)
		switch {
		case held:
			delete(s.admin.held, n)
			s.putBack(dueNow(entries))
			return queue.Unmarked, queuectl.Result{Code: queuectl.Done}
		case waiting[n] != nil, open:
			return queue.Unmarked, queuectl.Result{Code: queuectl.Failed, Text: "is not held"}
		}
		return queue.Unmarked, queuectl.Result{Code: queuectl.Unknown}
	})
}

// A change is what became of a message that got another mark, and the lists that have it.
type change struct {
	queuectl.Result
	lists []*os.File
}

// syncLists makes changes durable, all at the same time, and closes the lists.
func syncLists(changes []change) {
	var syncs []func() error
	var of []*change
	for i := range changes {
		for _, f := range changes[i].lists {
			defer f.Close()
			syncs = append(syncs, f.Sync)
			of = append(of, &changes[i])
		}
	}
	for i, err := range queue.SyncTogether(syncs...) {
		if err != nil {
			of[i].Code, of[i].Text = queuectl.Failed, "not durable: "+err.Error()
		}
	}
}

// change changes the marks of messages as decided for each.
func (s *scheduler) change(numbers []queue.Number, decide func(queue.Number) (queue.Mark, queuectl.Result)) []change {
	changes := make([]change, len(numbers))
	for i, n := range numbers {
		c := &changes[i]
		var mark queue.Mark
		mark, c.Result = decide(n)
		c.Number = n
		if c.Code != queuectl.Done {
			continue
		}
		var err error
		if c.lists, err = s.q.SetMark(n, mark); err != nil {
			c.Code, c.Text = queuectl.Failed, "not durable: "+err.Error()
		}
	}
	return changes
}

// retry makes messages due now, before others that are.
func (s *scheduler) retry(numbers []queue.Number) []queuectl.Result {
	results := make([]queuectl.Result, len(numbers))
	taken := s.withdraw(numbers)
	for i, n := range numbers {
		_, held := s.admin.held[n]
		open, _ := s.openLists(n)
		r := queuectl.Result{Number: n, Code: queuectl.Done}
		switch {
		case held:
			r.Code, r.Text = queuectl.Failed, "is held"
		case taken[n] != nil:
			s.putBack(dueNow(taken[n]))
			delete(taken, n) // it may be named twice
		case open:
			r.Code, r.Text = queuectl.Later, "is being delivered"
		default:
			r.Code = queuectl.Unknown
		}
		results[i] = r
	}
	return results
}

// first is a time before that of all others that are due.
const first = 1

func dueNow(entries []resting) []resting {
	for i := range entries {
		entries[i].Due, entries[i].Saved = first, false
	}
	return entries
}
