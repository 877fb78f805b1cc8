package send

import (
	"goqmail/internal/dispatch/bounce"
	"goqmail/internal/dispatch/route"
	"goqmail/internal/dispatch/schedule"
	"goqmail/internal/dispatch/verp"
	"goqmail/internal/wire/spawn"
	"goqmail/queue"
)

// A channel is one of the two ways out: the messages that wait for it, the lists
// that are open, and the deliveries that its spawner runs.
type channel struct {
	route.Channel
	queue     schedule.Queue
	reading   *list                  // deliveries are started from this one
	aside     []*list                // lists that have given way, the first is next
	resumed   bool                   // reading was aside before
	asideNext bool                   // it is the turn of one of those
	lists     map[queue.Number]*list // all that are open, or being ended

	alive   bool // its spawner
	reports *spawn.Reports
	pipe    pipe

	limit int // of deliveries at once
	used  int
	slots []delivery
	spare []uint32 // slots that are not in use, the last is used next
}

// A delivery is one that a spawner runs. Its number, on the pipes, is the place of
// its slot; in the activity record deliveries are counted.
type delivery struct {
	list      *list // nil: the slot is not in use
	offset    int64 // of the recipient in the list
	count     uint64
	recipient string
}

// free tells whether a spawner can take another command.
func (c *channel) free() bool { return c.alive && c.used < c.limit && c.pipe.room() }

// canStart tells whether another delivery may be started. Where notes on failures
// cannot be written, deliveries wait: they would only bring more of them.
func (s *scheduler) canStart(c *channel) bool {
	return c.free() && s.noting < maxNotes && s.found >= many
}

// take takes a slot into use: the one that was freed last, or else a new one.
func (c *channel) take(d delivery) uint32 {
	c.used++
	if last := len(c.spare) - 1; last >= 0 {
		n := c.spare[last]
		c.spare = c.spare[:last]
		c.slots[n] = d
		return n
	}
	c.slots = append(c.slots, d)
	return uint32(len(c.slots) - 1)
}

// deliver starts a delivery to a recipient of the list that is being read.
func (s *scheduler) deliver(c *channel, r queue.Record) {
	l := c.reading
	s.deliveries++
	d := delivery{list: l, offset: r.Offset, count: s.deliveries, recipient: string(r.Text)}
	l.begin()
	c.pipe.add(spawn.Command{
		Delivery:  c.take(d),
		Message:   s.q.ID(l.number),
		Sender:    verp.Expand(l.sender, d.recipient),
		Recipient: d.recipient,
	}, s.Width)
	s.lines.Starting(d.count, l.number, c.Channel, d.recipient)
	s.status()
}

// reported is the event that reports have come.
type reported struct {
	channel *channel
	list    []spawn.Report
}

func (e reported) apply(s *scheduler) {
	for _, r := range e.list {
		s.report(e.channel, r)
	}
}

// tooOld is what becomes of a deferral when a message will not be tried again.
const tooOld = "I'm not going to try again; this message has been in the queue too long.\n"

// report takes note of how a delivery ended. The spawners are not trusted: a report
// on what is not running changes nothing, and one that says neither success nor
// failure leaves the recipient for later.
func (s *scheduler) report(c *channel, r spawn.Report) {
	if int64(r.Delivery) >= int64(len(c.slots)) || c.slots[r.Delivery].list == nil {
		s.lines.Warning("internal error: delivery report out of range")
		return
	}
	d := c.slots[r.Delivery]
	c.slots[r.Delivery] = delivery{}
	c.spare = append(c.spare, r.Delivery)
	c.used--

	letter, text := byte(0), ""
	if r.Text != "" {
		letter, text = r.Text[0], r.Text[1:]
	}
	if letter == 'Z' && d.list.dying {
		letter, text = 'D', text+tooOld
	}
	switch letter {
	case 'K':
		s.lines.Success(d.count, text)
		if err := queue.MarkDone(d.list.file, d.offset); err != nil {
			s.lines.Warning("trouble marking ", s.q.Name(c.Kind(), d.list.number), "; message will be delivered twice!")
		}
		d.list.undone--
		s.release(d.list)
	case 'D':
		s.lines.Failure(d.count, text)
		recipient := s.routes.Load().Original(d.recipient)
		s.note(note{d.list, d.offset, bounce.Note(recipient, text)})
	case 'Z':
		s.lines.Deferral(d.count, text)
		s.admin.replies.add(c.Channel, d.list.number, d.recipient, reply{s.now, text})
		s.release(d.list)
	default:
		s.lines.Mangled(d.count)
		s.release(d.list)
	}
	s.status()
}

// listen hands on what a spawner reports, all that has come together as one event.
func (s *scheduler) listen(c *channel) {
	for {
		r, err := c.reports.Next()
		if err != nil {
			s.tell(spawnerLost{c})
			return
		}
		list := []spawn.Report{r}
		for c.reports.Ready() && len(list) < 256 {
			if r, err = c.reports.Next(); err == nil {
				list = append(list, r)
			}
		}
		s.tell(reported{c, list})
	}
}

// spawnerLost is the event that a spawner is gone.
type spawnerLost struct{ channel *channel }

func (e spawnerLost) apply(s *scheduler) {
	if !e.channel.alive {
		return
	}
	e.channel.alive = false
	s.lines.Alert("oh no! lost spawn connection! dying...")
	s.exit()
}
