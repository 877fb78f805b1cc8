package send

import (
	"errors"
	"io/fs"
	"os"

	"goqmail/internal/dispatch/activity"
	"goqmail/internal/dispatch/bounce"
	"goqmail/internal/dispatch/clean"
	"goqmail/internal/dispatch/route"
	"goqmail/internal/dispatch/schedule"
	"goqmail/queue"

	"golang.org/x/sys/unix"
)

// maxEnds is how many messages or lists are ended at the same time. A bounce takes a
// process and some syncs.
const maxEnds = 16

// An ending is what there is to do when a list is done: remove it, and if it is the
// message's last, end the message. Or it is what an admin has ordered about a message.
type ending struct {
	number queue.Number
	list   *list // nil where no list is left
	last   bool
	order  *order
}

// ends counts the endings that run and keeps those that wait.
type ends struct {
	running int
	waiting []ending
}

func (e *ends) room() bool { return e.running+len(e.waiting) < maxEnds }
func (e *ends) none() bool { return e.running == 0 && len(e.waiting) == 0 }

// end has something ended. What is known of a message that leaves is forgotten now,
// since there may be another of its number before it is told that this one has left.
func (s *scheduler) end(e ending) {
	if e.last || e.order != nil {
		delete(s.admin.held, e.number)
	}
	if e.list != nil {
		e.list.ending = e
	}
	s.ends.waiting = append(s.ends.waiting, e)
}

// startEnds starts endings that wait.
func (s *scheduler) startEnds() {
	for s.ends.running < maxEnds && len(s.ends.waiting) > 0 {
		e := s.ends.waiting[0]
		s.ends.waiting = s.ends.waiting[1:]
		s.ends.running++
		go func() { s.tell(s.carryOut(e)) }()
	}
	if len(s.ends.waiting) == 0 {
		s.ends.waiting = nil
	}
}

// ended is the event that an ending is over.
type ended struct {
	ending
	lines  activity.Lines
	kept   bool  // the list could not be removed
	undone bool  // the message could not be ended
	failed error // the order could not be carried out
}

func (e ended) apply(s *scheduler) {
	s.lines.Take(e.lines)
	s.ends.running--
	if e.list != nil {
		s.lists--
		if e.list.lists[e.number] == e.list {
			delete(e.list.lists, e.number)
		}
	}
	switch {
	case e.order != nil:
		s.carriedOut(e)
	case s.admin.orders[e.number] != nil: // which came meanwhile
		s.seize(e.number)
	case e.kept:
		s.rest(e.list.channel, schedule.Entry{Due: s.now + sysfail, Number: e.number})
	case e.undone:
		s.finished.Push(schedule.Entry{Due: s.now + sysfail, Number: e.number})
	case !e.last:
		// There were two lists when this one was done. Which of them goes last is
		// known only here, where one event comes after the other.
		if _, both := s.both[e.number]; both {
			delete(s.both, e.number)
		} else {
			s.finished.Push(schedule.Entry{Due: s.now, Number: e.number})
		}
	}
}

// carryOut does an ending, beside the scheduler.
func (s *scheduler) carryOut(e ending) ended {
	result := ended{ending: e}
	if e.order != nil {
		s.carryOutOrder(e, &result)
		return result
	}
	if e.list != nil {
		if unix.Unlink(s.q.Path(e.list.Kind(), e.number)) != nil {
			result.lines.Warning("unable to unlink ", s.q.Name(e.list.Kind(), e.number), "; will try again later")
			result.kept = true
			return result
		}
	} else if s.replaced(e.number) {
		return result
	}
	if e.last {
		result.undone = !s.endMessage(e.number, &result.lines)
	}
	return result
}

// replaced tells, of a message that was without lists some time ago, whether there is
// now another of the same number. That can only be where somebody removed it by
// hand.
func (s *scheduler) replaced(n queue.Number) bool {
	var st unix.Stat_t
	for c := range route.Channel(route.Channels) {
		if unix.Lstat(s.q.Path(c.Kind(), n), &st) != unix.ENOENT {
			return true
		}
	}
	return unix.Lstat(s.q.Path(queue.Todo, n), &st) != unix.ENOENT
}

// endMessage takes a message without lists from S5 to S1. It tells whether that
// worked, or must be tried again.
func (s *scheduler) endMessage(n queue.Number, lines *activity.Lines) bool {
	notes, err := s.q.OpenFile(queue.Bounce, n, os.O_RDWR, 0)
	switch {
	case err == nil:
		defer notes.Close()
		submission := s.preprocessor.Hold()
		defer s.preprocessor.Release(submission)
		if !s.bounce(n, notes, lines) {
			return false
		}
	case !errors.Is(err, fs.ErrNotExist):
		lines.Warning("unable to open ", s.q.Name(queue.Bounce, n), "; will try again later")
		return false
	}
	return s.removeMessage(n, lines)
}

// removeMessage does the rest of endMessage, when nobody is to be told any more.
func (s *scheduler) removeMessage(n queue.Number, lines *activity.Lines) bool {
	// The record tells the end before the number can be used again.
	lines.End(n)
	s.tell(said{*lines})
	*lines = activity.Lines{}

	s.leaving.RLock()
	defer s.leaving.RUnlock()
	if err := unix.Unlink(s.q.Path(queue.Info, n)); err != nil && err != unix.ENOENT {
		lines.Warning("unable to unlink ", s.q.Name(queue.Info, n), "; will try again later")
		return false
	}
	if answer := s.clean.Ask(clean.Foop, n)[0]; answer != clean.Done && answer != clean.Lost {
		lines.Warning("qmail-clean unable to clean up foop/", n.String())
	}
	return true
}

// bounce sends the bounce of a message and removes bounce/N. It tells whether both
// was done. Where no note is left after a power cut there is nobody to tell of.
func (s *scheduler) bounce(n queue.Number, notes *os.File, lines *activity.Lines) bool {
	size, err := cutDebris(notes)
	if err != nil {
		lines.Warning("unable to read ", s.q.Name(queue.Bounce, n), "; will try again later")
		return false
	}
	sender, _, err := s.info(n)
	if err != nil {
		lines.Warning("trouble opening ", s.q.Name(queue.Info, n), "; will try again later")
		return false
	}
	switch {
	case size == 0:
	case bounce.KindOf(sender) == bounce.Triple:
		lines.TripleBounce(s.q.Name(queue.Bounce, n))
	case !s.submit(n, sender, notes, lines):
		return false
	}
	if unix.Unlink(s.q.Path(queue.Bounce, n)) != nil {
		lines.Warning("unable to unlink ", s.q.Name(queue.Bounce, n), "; will try again later")
		return false
	}
	return true
}

// submit queues the bounce of a message.
func (s *scheduler) submit(n queue.Number, sender string, notes *os.File, lines *activity.Lines) bool {
	b, err := s.Bounces.Open()
	if err != nil {
		lines.Warning("unable to start qmail-queue, will try later")
		return false
	}
	defer b.Abandon()
	message, err := s.q.OpenFile(queue.Mess, n, os.O_RDONLY, 0)
	if err == nil {
		err = s.settings.Office.Write(b, sender, notes, message, s.Now())
		message.Close()
	}
	if err != nil {
		b.Cancel()
	}
	from, to := s.settings.Office.Envelope(sender)
	b.From(from)
	b.To(to)
	if b.Close() != nil {
		lines.Warning("trouble injecting bounce message, will try later")
		return false
	}
	lines.Bounce(n, b.Pid())
	return true
}
