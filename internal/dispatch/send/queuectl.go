package send

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"goqmail/internal/dispatch/route"
	"goqmail/internal/dispatch/schedule"
	"goqmail/internal/mail/fold"
	"goqmail/internal/wire/queuectl"
	"goqmail/queue"

	"golang.org/x/sys/unix"
)

// What qmail-queuectl asks for is read, and answered, beside the scheduler, by a goroutine
// for each client. It asks the scheduler by events, a hundred messages at a time, reads
// what is on disk by itself, and waits for the disk and for the client by itself. So a
// client that does not read or write keeps nobody waiting, and is let go after a while.
const (
	maxClients = 8
	// together is how many messages one event is about.
	together = 128
	// orderPatience is how long a client is kept waiting for an order to be carried out:
	// longer than a local delivery or a bounce takes, and shorter than a host may.
	orderPatience = 2 * time.Second
)

// An office serves qmail-queuectl. It is the part that does not belong to the scheduler.
type office struct {
	*scheduler
	clients chan struct{} // one for each
	listing sync.Mutex    // held while messages are listed, which takes memory
	pausing sync.Mutex    // held while the file of paused domains changes
}

// startListening begins to serve qmail-queuectl. A queue without a place for the socket
// is one of C qmail, which is served as well without.
func (s *scheduler) startListening() {
	dir := s.Home + "/queue"
	domains, err := queuectl.ReadPaused(dir)
	if err != nil {
		s.lines.Warning("unable to read queue/queuectl/paused; no domain is paused")
	}
	s.admin.paused = hosts{fold.NewSet(domains)}
	s.admin.listener, err = queuectl.Listen(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		s.lines.Warning("unable to listen on queue/queuectl/socket; qmail-queuectl will not work")
	default:
		o := &office{scheduler: s, clients: make(chan struct{}, maxClients)}
		go func() {
			select {
			case <-s.admin.complete: // an answer is about all messages, or about none
				o.serve(s.admin.listener)
			case <-s.stop:
			}
		}()
	}
}

// acceptAgain is when a client is waited for again after that has failed, as it does
// when there are no descriptors.
const acceptAgain = time.Second

func (o *office) serve(l *queuectl.Listener) {
	for {
		c, uid, allowed, err := l.Accept()
		switch {
		case errors.Is(err, os.ErrClosed):
			return
		case err != nil:
			time.Sleep(acceptAgain)
			continue
		case !allowed:
			refuse(c, "permission denied")
			continue
		}
		select {
		case o.clients <- struct{}{}:
			go func() {
				o.answer(c, uid)
				<-o.clients
			}()
		default:
			refuse(c, "too many at once, try again")
		}
	}
}

// refuse sends a refusal, which there is always room for in a new socket.
func refuse(c *queuectl.Conn, why queuectl.Refusal) {
	c.Send(why)
	c.End()
	c.Close()
}

// ask has the scheduler do something, and waits until it has.
func (o *office) ask(do func(s *scheduler)) {
	done := make(chan struct{})
	o.tell(asked{do, done})
	<-done
}

// asked is the event that a client wants something.
type asked struct {
	do   func(*scheduler)
	done chan struct{}
}

func (e asked) apply(s *scheduler) {
	e.do(s)
	close(e.done)
}

// answer serves a client.
func (o *office) answer(c *queuectl.Conn, uid uint32) {
	defer c.Close()
	r, err := c.Request()
	if errors.Is(err, queuectl.ErrForm) {
		refuse(c, "malformed request")
	}
	if err != nil {
		return
	}
	switch r.Verb {
	case queuectl.List:
		err = o.list(c, r.Messages)
	case queuectl.Delete, queuectl.Bounce, queuectl.Requeue:
		err = o.order(c, r, uid)
	case queuectl.Hold:
		err = o.mark(c, r, uid, (*scheduler).hold)
	case queuectl.Release:
		err = o.mark(c, r, uid, (*scheduler).unhold)
	case queuectl.Retry:
		err = o.retry(c, r, uid)
	case queuectl.Run:
		o.ask(func(s *scheduler) {
			s.lines.Ordered(uid, string(r.Verb), "")
			s.signal(RunAll)
		})
	case queuectl.Pause, queuectl.Resume:
		err = o.pause(c, r, uid)
	case queuectl.Paused:
		var paused hosts
		o.ask(func(s *scheduler) { paused = s.admin.paused })
		for _, d := range slices.Sorted(maps.Keys(paused.Set)) {
			c.Send(queuectl.Domain(d))
		}
	}
	if err == nil {
		c.End()
	}
}

// current are the numbers of messages, with 0, which no message has, for one that is
// not the message that was meant any more.
func (s *scheduler) current(names []queuectl.Name) []queue.Number {
	numbers := make([]queue.Number, len(names))
	for i, m := range names {
		var st unix.Stat_t
		if m.Born == 0 || unix.Stat(s.q.Path(queue.Info, m.Number), &st) == nil && st.Mtim.Sec == m.Born {
			numbers[i] = m.Number
		}
	}
	return numbers
}

// each asks the scheduler for something about messages, some at a time, and tells the
// client what became of it. The lines of the record are those of what was begun.
func (o *office) each(c *queuectl.Conn, r queuectl.Request, uid uint32, do func(s *scheduler, numbers []queue.Number) (results []queuectl.Result, finish func())) error {
	for names := range slices.Chunk(r.Messages, together) {
		var results []queuectl.Result
		var finish func()
		o.ask(func(s *scheduler) {
			results, finish = do(s, s.current(names))
			for _, result := range results {
				if result.Code == queuectl.Done {
					s.lines.OrderedMessage(uid, string(r.Verb), result.Number)
				}
			}
		})
		if finish != nil {
			finish()
		}
		for i, result := range results {
			result.Number = names[i].Number
			if err := c.Send(o.certain(result)); err != nil {
				return err
			}
		}
	}
	return nil
}

// order has messages removed, bounced or queued anew.
func (o *office) order(c *queuectl.Conn, r queuectl.Request, uid uint32) error {
	patience := time.NewTimer(orderPatience)
	defer patience.Stop()
	return o.each(c, r, uid, func(s *scheduler, numbers []queue.Number) ([]queuectl.Result, func()) {
		orders := s.order(numbers, func() *order {
			return &order{verb: r.Verb, reason: r.Reason, done: make(chan queuectl.Result, 1)}
		})
		results := make([]queuectl.Result, len(orders))
		for i, o := range orders {
			results[i].Number, results[i].Code = numbers[i], queuectl.Done // so far
			if o.refused() {
				results[i] = <-o.done
				orders[i] = nil
			}
		}
		return results, func() {
			for i, o := range orders {
				if o != nil {
					results[i] = o.wait(numbers[i], patience)
				}
			}
		}
	})
}

// refused tells whether an order was not taken on.
func (o *order) refused() bool { return len(o.done) > 0 }

// wait waits for an order to be carried out, as long as there is patience, and renews
// it when it was.
func (o *order) wait(n queue.Number, patience *time.Timer) queuectl.Result {
	select {
	case r := <-o.done:
		return r
	default:
	}
	select {
	case r := <-o.done:
		patience.Reset(orderPatience)
		return r
	case <-patience.C:
		patience.Reset(0) // there is none left for those that follow
		return queuectl.Result{Number: n, Code: queuectl.Later}
	}
}

// certain looks after a message that the scheduler does not know: it may be in todo, or
// just leaving.
func (o *office) certain(r queuectl.Result) queuectl.Result {
	if r.Code == queuectl.Unknown && (o.has(queue.Todo, r.Number) || o.has(queue.Info, r.Number)) {
		r.Code = queuectl.Busy
	}
	return r
}

// mark holds or releases messages, and makes that durable.
func (o *office) mark(c *queuectl.Conn, r queuectl.Request, uid uint32, mark func(*scheduler, []queue.Number) []change) error {
	return o.each(c, r, uid, func(s *scheduler, numbers []queue.Number) ([]queuectl.Result, func()) {
		changes := mark(s, numbers)
		results := make([]queuectl.Result, len(changes))
		for i, c := range changes {
			results[i] = c.Result
		}
		return results, func() {
			syncLists(changes)
			for i, c := range changes {
				results[i] = c.Result
			}
		}
	})
}

// retry makes messages due.
func (o *office) retry(c *queuectl.Conn, r queuectl.Request, uid uint32) error {
	return o.each(c, r, uid, func(s *scheduler, numbers []queue.Number) ([]queuectl.Result, func()) {
		return s.retry(numbers), nil
	})
}

// pause pauses domains or resumes them: on disk first.
func (o *office) pause(c *queuectl.Conn, r queuectl.Request, uid uint32) error {
	o.pausing.Lock()
	defer o.pausing.Unlock()
	domains, err := queuectl.ChangePaused(o.Home+"/queue", r.Verb == queuectl.Pause, r.Domains)
	if err != nil {
		c.Send(queuectl.Refusal(err.Error()))
		return nil
	}
	paused := hosts{fold.NewSet(domains)}
	o.ask(func(s *scheduler) {
		for _, d := range r.Domains {
			s.lines.Ordered(uid, string(r.Verb), d)
		}
		s.admin.paused = paused
	})
	return nil
}

// A view is what the scheduler knows of messages that are listed.
type view struct {
	due     [route.Channels][]schedule.Entry       // by number, once it is sorted
	retry   [route.Channels]map[queue.Number]int64 // of lists that are open: the try after this one
	running map[recipient]bool
	replies map[recipient]reply
	paused  hosts
}

func (s *scheduler) view() *view {
	v := &view{running: make(map[recipient]bool), replies: maps.Clone(s.admin.replies.last), paused: s.admin.paused}
	for i, c := range s.channels {
		v.due[i] = c.queue.Copy()
		v.retry[i] = make(map[queue.Number]int64)
		for n, l := range c.lists {
			v.retry[i][n] = l.retry
		}
		for _, d := range c.slots {
			if d.list != nil {
				v.running[recipient{c.Channel, d.list.number, d.recipient}] = true
			}
		}
	}
	return v
}

// next is when the list of a message is due.
func (v *view) next(c route.Channel, n queue.Number) (due int64, known bool) {
	if due, open := v.retry[c][n]; open {
		return due, true
	}
	i, found := slices.BinarySearchFunc(v.due[c], n, func(e schedule.Entry, n queue.Number) int { return cmp.Compare(e.Number, n) })
	if !found {
		return 0, false
	}
	return v.due[c][i].Due, true
}

// list tells of messages.
func (o *office) list(c *queuectl.Conn, names []queuectl.Name) error {
	o.listing.Lock()
	defer o.listing.Unlock()
	var v *view
	o.ask(func(s *scheduler) { v = s.view() })
	for _, due := range v.due {
		slices.SortFunc(due, func(a, b schedule.Entry) int { return cmp.Compare(a.Number, b.Number) })
	}
	send := func(m queue.Message, err error) error {
		switch {
		case err == nil:
			return c.SendMessage(v.complete(m))
		case errors.Is(err, fs.ErrNotExist) && m.Number != 0:
			return c.Send(queuectl.Result{Number: m.Number, Code: queuectl.Unknown})
		}
		return c.Send(queuectl.Result{Number: max(m.Number, 1), Code: queuectl.Failed, Text: err.Error()})
	}
	for _, name := range names {
		if err := send(o.q.Message(name.Number)); err != nil {
			return err
		}
	}
	if len(names) > 0 {
		return nil
	}
	for m, err := range o.q.Messages() {
		if err := send(m, err); err != nil {
			return err
		}
	}
	return nil
}

// complete adds what is not on disk to a message.
func (v *view) complete(m queue.Message) queuectl.Message {
	whole := queuectl.Message{Message: m, Live: make([]queuectl.Live, len(m.Recipients))}
	for i := range m.Recipients {
		r := &m.Recipients[i]
		live := &whole.Live[i]
		live.Paused = !r.Done && v.paused.hasHostOf([]byte(r.Address))
		for c := range route.Channel(route.Channels) {
			if r.Kind != c.Kind() || r.Done {
				continue
			}
			if due, known := v.next(c, m.Number); known {
				r.Next = time.Unix(due, 0)
			}
			who := recipient{c, m.Number, r.Address}
			live.Running = v.running[who]
			if reply := v.replies[who]; reply.at >= m.Born.Unix() && reply.at != 0 {
				live.Reply, live.Replied = reply.text, time.Unix(reply.at, 0)
			}
		}
	}
	return whole
}
