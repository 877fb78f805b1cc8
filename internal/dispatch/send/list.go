package send

import (
	"bufio"
	"errors"
	"io"
	"os"

	"goqmail/internal/dispatch/schedule"
	"goqmail/queue"
)

const (
	// turn is how many deliveries are started from a list before it gives way to
	// another that is due.
	turn = 50
	// maxAside is how many lists of a channel may have given way before no more are
	// opened.
	maxAside = 8
	// maxReading is how many records are read in one turn of the scheduler. A list
	// may have a million recipients that are done already.
	maxReading = 10_000
	// keptReaders is how many buffers for reading are kept when not in use.
	keptReaders = 16
)

// A list is a recipient list, local/N or remote/N, that is open: deliveries are
// started from it, or run, or both.
type list struct {
	*channel
	number queue.Number
	sender string
	retry  int64 // when it is due next if not all recipients are done
	dying  bool  // it will not be due again: deferrals are failures

	file    *os.File
	records *queue.RecordReader // until it is read
	started int                 // deliveries, in this turn

	refs   int    // deliveries and notes, and 1 while it is read
	notes  int    // of these
	undone int    // recipients seen that are not done
	ended  bool   // it was read to its end
	ending ending // what was begun when it was done
	rests  int    // since which RunAll nothing but notes is left to do; 0 if something is
}

// begin counts a delivery.
func (l *list) begin() {
	l.started++
	l.refs++
	l.undone++
}

// fill starts deliveries on a channel as long as there are recipients and slots.
func (s *scheduler) fill(c *channel) {
	for range maxReading {
		switch {
		case !s.canStart(c):
			return
		case c.reading != nil:
			s.giveWay(c)
		}
		if c.reading == nil && !s.choose(c) {
			return
		}
		s.advance(c)
	}
	s.more = true
}

// giveWay puts the list that is being read aside after its turn, if others wait.
func (s *scheduler) giveWay(c *channel) {
	l := c.reading
	if l.started < turn || len(c.aside) == 0 && !s.due(c) {
		return
	}
	l.started = 0
	c.aside = append(c.aside, l)
	c.reading, c.asideNext = nil, false
}

// due tells whether a message of a channel is due and can be opened.
func (s *scheduler) due(c *channel) bool {
	first, ok := c.queue.Min()
	return ok && first.Due <= s.now && s.lists < s.maxLists
}

// choose chooses the list to be read. One that is due comes before those that have
// given way; but after one that was short enough to be read in its turn it is one of
// those, and so it is when there are too many of them.
func (s *scheduler) choose(c *channel) bool {
	for len(c.aside) == 0 || !c.asideNext && len(c.aside) <= maxAside && s.due(c) {
		if !s.due(c) {
			return false
		}
		e, _ := c.queue.PopDue(s.now)
		if l := s.open(c, e.Number); l != nil {
			c.reading, c.resumed = l, false
			return true
		}
	}
	c.reading, c.resumed = c.aside[0], true
	c.aside = c.aside[1:]
	return true
}

// open opens a list. Where that is not possible it waits for a while.
func (s *scheduler) open(c *channel, n queue.Number) *list {
	file, err := s.q.OpenFile(c.Kind(), n, os.O_RDWR, 0)
	var sender string
	var birth int64
	if err == nil {
		if sender, birth, err = s.info(n); err != nil {
			file.Close()
		}
	}
	if err != nil {
		s.lines.Warning("trouble opening ", s.q.Name(c.Kind(), n), "; will try again later")
		c.queue.Push(schedule.Entry{Due: s.now + sysfail, Number: n})
		return nil
	}
	birth = s.born(n, birth)
	s.lists++
	l := &list{
		channel: c,
		number:  n,
		sender:  sender,
		retry:   schedule.Next(c.Channel, birth, s.now),
		dying:   s.now > birth+s.settings.Lifetime,
		file:    file,
		refs:    1,
	}
	c.lists[n] = l
	if last := len(s.readers) - 1; last >= 0 {
		l.records, s.readers = s.readers[last], s.readers[:last]
		l.records.Reset(file, 0)
	} else {
		l.records = queue.NewRecordReader(file, 0)
	}
	return l
}

// info reads what info/N says: the envelope sender, and by its file time when the
// message was preprocessed.
func (s *scheduler) info(n queue.Number) (sender string, birth int64, err error) {
	f, err := s.q.OpenFile(queue.Info, n, os.O_RDONLY, 0)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	text, err := bufio.NewReaderSize(io.LimitReader(f, queue.MaxRecord), 256).ReadString(0)
	if err != nil || text[0] != 'F' {
		return "", 0, errors.Join(queue.ErrRecord, err)
	}
	return text[1 : len(text)-1], st.ModTime().Unix(), nil
}

// advance reads one record of the list and starts its delivery.
func (s *scheduler) advance(c *channel) {
	l := c.reading
	r, err := l.records.Next()
	switch {
	case err == io.EOF:
		l.ended = true
		s.leave(c)
	case errors.Is(err, queue.ErrRecord) && !errors.Is(err, io.ErrUnexpectedEOF),
		err == nil && r.Kind != 'T' && r.Kind != 'D':
		s.lines.Warning("unknown record type in ", s.q.Name(c.Kind(), l.number), "!")
		s.leave(c)
	case err != nil:
		s.lines.Warning("trouble reading ", s.q.Name(c.Kind(), l.number), "; will try again later")
		s.leave(c)
	case r.Kind == 'T' && s.admin.paused.hasHostOf(r.Text):
		l.undone++
	case r.Kind == 'T':
		s.deliver(c, r)
	}
}

// leave ends the reading of the list that is being read.
func (s *scheduler) leave(c *channel) {
	l := c.reading
	c.reading, c.asideNext = nil, !c.resumed
	s.stopReading(l)
}

// stopReading ends the reading of a list that is not any more the one that is read.
func (s *scheduler) stopReading(l *list) {
	if len(s.readers) < keptReaders {
		s.readers = append(s.readers, l.records)
	}
	l.records = nil
	s.release(l)
}

// release ends one use of a list. After the last, the list is removed if every
// recipient is done, or waits for the next attempt. That is at once if all its
// deliveries had ended when a RunAll came.
func (s *scheduler) release(l *list) {
	l.refs--
	if l.refs == l.notes && l.rests == 0 {
		l.rests = s.runs
	}
	if l.refs > 0 {
		return
	}
	if l.rests < s.runs {
		l.retry = s.now
	}
	l.file.Close()
	if s.admin.orders[l.number] != nil {
		s.lists--
		s.letGo(l)
		return
	}
	if l.ended && l.undone == 0 {
		_, both := s.both[l.number]
		s.end(ending{number: l.number, list: l, last: !both})
		return
	}
	s.lists--
	delete(l.lists, l.number)
	s.rest(l.channel, schedule.Entry{Due: l.retry, Number: l.number})
}

// rest puts a message into the queue of a channel, unless it is held.
func (s *scheduler) rest(c *channel, e schedule.Entry) {
	e = s.sensible(e)
	if entries, held := s.admin.held[e.Number]; held {
		s.admin.held[e.Number] = append(entries, resting{c, e})
		return
	}
	c.queue.Push(e)
}
