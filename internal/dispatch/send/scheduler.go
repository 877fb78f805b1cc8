package send

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"goqmail/internal/dispatch/activity"
	"goqmail/internal/dispatch/clean"
	"goqmail/internal/dispatch/preprocess"
	"goqmail/internal/dispatch/route"
	"goqmail/internal/dispatch/schedule"
	"goqmail/internal/host/control"
	"goqmail/queue"

	"golang.org/x/sys/unix"
)

// sysfail is how long something that failed for reasons of the system is left
// alone, in seconds.
const sysfail = 123

// A scheduler is qmail-send. What stands below "owned" belongs to the goroutine of
// run; all others use only what stands above it.
type scheduler struct {
	Config
	q       *queue.Queue
	routes  atomic.Pointer[route.Table]
	clean   *clean.Client
	events  chan event
	notes   chan note
	stop    chan struct{} // closed when notes that cannot be written are to be given up
	leaving sync.RWMutex  // see debris.go

	// owned:
	settings Settings
	lines    activity.Lines
	now      int64 // seconds since 1970
	timer    *time.Timer
	more     bool // there is more to start than one turn takes

	channels   [route.Channels]*channel
	both       map[queue.Number]struct{} // messages that have both lists
	finished   schedule.Queue            // messages that have none, to be ended
	unknown    schedule.Queue            // messages that could not be looked at
	runs       int                       // how often all were made due, and 1
	found      int                       // how many messages have been found at the start; all: math.MaxInt
	deliveries uint64                    // how many were started
	lists      int                       // how many are open
	maxLists   int
	noting     int // how many notes are being written
	ends       ends
	readers    []*queue.RecordReader // not in use
	admin      admin

	exiting       bool
	preprocessor  *preprocess.Preprocessor
	preprocessing bool
}

// An event tells the scheduler what has happened.
type event interface{ apply(*scheduler) }

// tell hands an event to the scheduler. It may be called by anybody but the
// scheduler itself.
func (s *scheduler) tell(e event) { s.events <- e }

// said is an event that has nothing but lines for the activity record.
type said struct{ lines activity.Lines }

func (e said) apply(s *scheduler) { s.lines.Take(e.lines) }

// run is the scheduler.
func (s *scheduler) run() {
	s.timer = time.NewTimer(time.Hour)
	for {
		s.readClock()
		s.start()
		s.writeRecord()
		for _, c := range s.channels {
			s.writeCommands(c)
		}
		if s.over() {
			break
		}
		s.wait()
	}
	s.saveTimes()
	s.admin.listener.Close()
	s.lines.Exiting()
	s.writeRecord()
}

// start starts what is due and has room. Endings come last, since to read a list may
// be to find that it is done.
func (s *scheduler) start() {
	s.more = false
	if !s.exiting {
		s.startDue()
	}
	s.startEnds()
}

func (s *scheduler) startDue() {
	for e, due := s.unknown.PopDue(s.now); due; e, due = s.unknown.PopDue(s.now) {
		s.look(e.Number)
	}
	for s.ends.room() {
		e, due := s.finished.PopDue(s.now)
		if !due {
			break
		}
		s.end(ending{number: e.Number, last: true})
	}
	for _, c := range s.channels {
		s.fill(c)
	}
}

// wait waits for an event, a signal or the next time that something is due, and
// then takes all events that have come.
func (s *scheduler) wait() {
	if !s.more {
		s.timer.Reset(s.untilDue())
		select {
		case e := <-s.events:
			s.readClock()
			e.apply(s)
		case sig := <-s.Signals:
			s.readClock()
			s.signal(sig)
		case <-s.timer.C:
			return
		}
	}
	for range len(s.events) {
		(<-s.events).apply(s)
	}
}

// untilDue is how long there will be nothing to do unless something happens. It
// is rounded up to a whole second of the clock, for due times are such.
func (s *scheduler) untilDue() time.Duration {
	due := int64(math.MaxInt64)
	consider := func(q *schedule.Queue) {
		if first, ok := q.Min(); ok {
			due = min(due, first.Due)
		}
	}
	if !s.exiting {
		consider(&s.unknown)
		if s.ends.room() {
			consider(&s.finished)
		}
		for _, c := range s.channels {
			if s.canStart(c) && s.lists < s.maxLists {
				consider(&c.queue)
			}
		}
	}
	const day = 24 * time.Hour
	now := s.Now()
	if due-now.Unix() > int64(day/time.Second) {
		return day
	}
	return max(time.Unix(due, 0).Sub(now), 0)
}

// signal does what an admin asks for.
func (s *scheduler) signal(sig Signal) {
	switch sig {
	case Exit:
		s.exit()
	case RunAll:
		s.runs++
		for _, c := range s.channels {
			c.queue.RunAll(s.now)
		}
	case Reread:
		table, err := RereadRoutes(control.In(s.Home), s.routes.Load())
		if err != nil {
			s.lines.Alert(err.Error())
			return
		}
		s.routes.Store(table)
	}
}

// exit begins the end: nothing new is started.
func (s *scheduler) exit() {
	if s.exiting {
		return
	}
	s.exiting = true
	close(s.stop)
	if s.preprocessing {
		go func() {
			s.preprocessor.Stop()
			s.tell(preprocessingOver{})
		}()
	}
}

// over tells whether everything that was begun is finished. What a dead spawner
// had in hand never will be.
func (s *scheduler) over() bool {
	for _, c := range s.channels {
		if c.alive && c.used > 0 {
			return false
		}
	}
	return s.exiting && !s.preprocessing && s.noting == 0 && s.ends.none()
}

// saveTimes writes the times of the next attempts into the file times of the
// recipient lists, where the next qmail-send finds them.
func (s *scheduler) saveTimes() {
	for _, c := range s.channels {
		for e := range c.queue.All() {
			if e.Saved {
				continue
			}
			t := unix.Timeval{Sec: e.Due}
			if unix.Utimes(s.q.Path(c.Kind(), e.Number), []unix.Timeval{t, t}) != nil {
				s.lines.Warning("unable to utime ", s.q.Name(c.Kind(), e.Number), "; message will be retried too soon")
			}
		}
	}
}

// writeRecord writes the lines of the activity record that have come together. An
// error of the record is nothing that mail should stop for.
func (s *scheduler) writeRecord() {
	if text := s.lines.Text(); len(text) > 0 {
		s.Record.Write(text)
		s.lines.Clear()
	}
}

// cleanLost is told by the client of qmail-clean.
type cleanLost struct{}

func (cleanLost) apply(s *scheduler) {
	s.lines.Alert("oh no! lost qmail-clean connection! dying...")
	s.exit()
}

// startPreprocessing begins to look into todo.
func (s *scheduler) startPreprocessing() {
	s.preprocessing = true
	s.preprocessor.Start()
}

// preprocessed tells of messages that can be delivered.
type preprocessed preprocess.Report

func (e preprocessed) apply(s *scheduler) {
	s.lines.Take(e.Lines)
	for _, m := range e.Messages {
		s.add(m.Number, m.Lists, [route.Channels]int64{s.now, s.now})
	}
}

// preprocessingOver tells that no message is being preprocessed any more.
type preprocessingOver struct{}

func (preprocessingOver) apply(s *scheduler) { s.preprocessing = false }

// add takes a message up that has these lists, with the times at which they are
// due, which their files say too.
func (s *scheduler) add(n queue.Number, lists [route.Channels]bool, due [route.Channels]int64) {
	if lists == [route.Channels]bool{true, true} {
		s.both[n] = struct{}{}
	}
	for i, c := range s.channels {
		if lists[i] {
			s.rest(c, schedule.Entry{Due: due[i], Number: n, Saved: true})
		}
	}
	if lists == [route.Channels]bool{} {
		s.finished.Push(schedule.Entry{Due: s.now, Number: n})
	}
}
