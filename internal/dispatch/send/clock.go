package send

import (
	"strconv"

	"goqmail/internal/dispatch/schedule"
	"goqmail/queue"

	"golang.org/x/sys/unix"
)

// The times of the next attempts are those of the wall clock, since they outlive the
// process. So a clock that is set right after it was ahead, by a day or a year as when a
// machine has started without one, would have all mail wait until it is there again. It
// does not: what waits in this process is due as much sooner (readClock), what a file says
// counts only as far as it makes sense (sensible), and a message begins to age when its
// birth has been in the future (born).

// setBack is by how many seconds the clock must be set back to be taken notice of.
const setBack = 60

// readClock looks what time it is. Between two looks it never becomes earlier by itself.
func (s *scheduler) readClock() {
	before := s.now
	s.now = s.Now().Unix()
	back := before - s.now
	if back <= setBack {
		return
	}
	s.lines.Warning("the clock was set back by ", strconv.FormatInt(back, 10), " seconds")
	s.unknown.Sooner(back)
	s.finished.Sooner(back)
	for _, c := range s.channels {
		c.queue.Sooner(back)
		for _, l := range c.lists {
			l.retry -= back
		}
	}
}

// sensible corrects an entry that is due later than any attempt can be.
func (s *scheduler) sensible(e schedule.Entry) schedule.Entry {
	if e.Due > s.now+max(s.settings.Lifetime, defaultLifetime) {
		e.Due, e.Saved = s.now, false
	}
	return e
}

// nonsense is how far in the future a birth cannot be, in seconds.
const nonsense = 12 * 60 * 60

// born returns when a message was born, and writes it down anew where that lies far in the
// future. Where this fails it is done at the next attempt.
func (s *scheduler) born(n queue.Number, birth int64) int64 {
	if birth <= s.now+nonsense {
		return birth
	}
	t := unix.Timeval{Sec: s.now}
	unix.Utimes(s.q.Path(queue.Info, n), []unix.Timeval{t, t})
	return s.now
}
