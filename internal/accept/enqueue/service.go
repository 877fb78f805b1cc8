package enqueue

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"goqmail/internal/wire/submit"
	"goqmail/queue"
)

// A Service accepts message after message, many at once. It is a resident
// qmail-queue.
//
// The log, the Received field and the record p name a message by the process number
// of its qmail-queue. The number of a message that came to a Service is that process
// number with four digits behind it, 0001 for the first message: 47110001. Two
// messages that are on their way at the same time never have the same one, and
// whoever looks for the process finds it.
//
// A Service looks before each message whether the queue was made anew, and opens it
// then, since a queue with another split has other places for its files.
type Service struct {
	Open      func() (*queue.Queue, error)
	Submitter func() (Submitter, error) // looked up until it is found
	Now       func() time.Time

	count atomic.Uint64

	mu    sync.Mutex
	queue *queue.Queue
	by    *Submitter
}

// Accept is the function Accept for one message, and returns its number too. A
// message that is read from files gets no more time than queue.Death.
func (s *Service) Accept(message, envelope io.Reader) (number int, err error) {
	q, by, err := s.ready()
	if err != nil {
		return 0, err
	}
	by.PID = by.PID*(submit.Numbers+1) + int((s.count.Add(1)-1)%submit.Numbers) + 1
	limit := s.Now().Add(queue.Death)
	for _, r := range []io.Reader{message, envelope} {
		if f, ok := r.(*os.File); ok {
			f.SetReadDeadline(limit) // impossible for some; Commit looks at the clock too
		}
	}
	err = Accept(q, message, envelope, by, s.Now)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = queue.ErrDeath
	}
	return by.PID, err
}

// ready returns the queue that is there now, and who submits to it.
func (s *Service) ready() (*queue.Queue, Submitter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queue == nil || s.queue.Changed() {
		q, err := s.Open()
		if err != nil {
			return nil, Submitter{}, err
		}
		s.queue = q
	}
	if s.by == nil {
		by, err := s.Submitter()
		if err != nil {
			return nil, by, err
		}
		s.by = &by
	}
	return s.queue, *s.by, nil
}
