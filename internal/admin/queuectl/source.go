package queuectl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"goqmail/internal/mail/excerpt"
	"goqmail/internal/mail/fold"
	"goqmail/internal/mail/outcome"
	wire "goqmail/internal/wire/queuectl"
	"goqmail/queue"

	"golang.org/x/sys/unix"
)

// A source answers requests: a running qmail-send, or the queue itself.
type source interface {
	ask(wire.Request, wire.Answers) error
	close()
}

// find hands out the chosen messages. It says of those that were named and are not
// there that they are not, and counts them.
func (c *call) find(q source, do func(wire.Message) error) (missing int, err error) {
	answers := wire.Answers{
		Message: func(m wire.Message) error {
			if c.choice.fits(m) {
				return do(m)
			}
			return nil
		},
		Result: func(r wire.Result) {
			missing++
			c.tell(r)
		},
	}
	if len(c.choice.numbers) == 0 {
		return missing, q.ask(wire.Request{Verb: wire.List}, answers)
	}
	for part := range slices.Chunk(c.choice.numbers, wire.MaxMessages) {
		r := wire.Request{Verb: wire.List}
		for _, n := range part {
			r.Messages = append(r.Messages, wire.Name{Number: n})
		}
		if err := q.ask(r, answers); err != nil {
			return missing, err
		}
	}
	return missing, nil
}

// openToRead finds something that can tell of the queue: a qmail-send that listens, or
// the queue itself.
func (c *call) openToRead() (source, error) {
	dir := c.Home + "/queue"
	conn, err := wire.Dial(dir)
	switch {
	case err == nil:
		return &online{dir: dir, conn: conn}, nil
	case !errors.Is(err, wire.ErrNobody):
		return nil, err
	}
	q, err := queue.Open(dir)
	if err != nil {
		return nil, err
	}
	return &offline{dir: dir, q: q}, nil
}

// openToChange finds something that can change the queue: the same, where the queue is
// locked.
func (c *call) openToChange() (source, error) {
	s, err := c.openToRead()
	if q, ok := s.(*offline); ok {
		err = q.takeLock()
	}
	return s, err
}

// takeLock keeps qmail-send from starting.
func (o *offline) takeLock() (err error) {
	o.lock, err = o.q.Lock()
	if errors.Is(err, queue.ErrRunning) {
		if _, err := os.Stat(o.dir + "/" + wire.Directory); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("qmail-send runs without %s/%s, which qmail-install makes; stop it, or have it made and qmail-send started again", o.dir, wire.Directory)
		}
		return errors.New("a qmail-send runs that does not listen: it is just starting, or not ours; stop it, or try again")
	}
	return err
}

// online is a running qmail-send. Each request takes a connection of its own.
type online struct {
	dir  string
	conn *wire.Conn // for the next request, if there is one already
}

func (o *online) ask(r wire.Request, a wire.Answers) error {
	conn := o.conn
	if o.conn = nil; conn == nil {
		var err error
		if conn, err = wire.Dial(o.dir); err != nil {
			return fmt.Errorf("qmail-send is gone: %w", err)
		}
	}
	defer conn.Close()
	if err := conn.Ask(r, a); err != nil {
		return fmt.Errorf("qmail-send: %w", err)
	}
	return nil
}

func (o *online) close() {
	if o.conn != nil {
		o.conn.Close()
	}
}

// offline is the queue itself, while qmail-send does not run. Without a lock it is only
// for reading.
type offline struct {
	dir  string
	q    *queue.Queue
	lock *os.File
}

func (o *offline) close() {
	if o.lock != nil {
		o.lock.Close()
	}
}

func (o *offline) ask(r wire.Request, a wire.Answers) error {
	switch r.Verb {
	case wire.List:
		return o.list(r.Messages, a)
	case wire.Paused:
		domains, err := wire.ReadPaused(o.dir)
		for _, d := range domains {
			a.Domain(wire.Domain(d))
		}
		return err
	case wire.Pause, wire.Resume:
		_, err := wire.ChangePaused(o.dir, r.Verb == wire.Pause, r.Domains)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w; qmail-install makes that directory", err)
		}
		return err
	case wire.Run:
		return o.runAll()
	}
	for _, name := range r.Messages {
		result := wire.Result{Number: name.Number, Code: wire.Done}
		m, err := o.q.Message(name.Number)
		switch {
		case errors.Is(err, fs.ErrNotExist) || err == nil && m.Born.Unix() != name.Born:
			result.Code = wire.Unknown
			err = nil
		case r.Verb == wire.Delete: // also a message that cannot be read
			err = o.remove(name.Number)
		case err == nil:
			err = o.change(r.Verb, m)
		}
		if err != nil {
			result.Code, result.Text = wire.Failed, err.Error()
		}
		a.Result(result)
	}
	return nil
}

// list tells of messages.
func (o *offline) list(names []wire.Name, a wire.Answers) error {
	domains, err := wire.ReadPaused(o.dir)
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	paused := fold.NewSet(domains)
	tell := func(m queue.Message, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && m.Number != 0:
			a.Result(wire.Result{Number: m.Number, Code: wire.Unknown})
			return nil
		case err != nil && m.Number != 0:
			a.Result(wire.Result{Number: m.Number, Code: wire.Failed, Text: err.Error()})
			return nil
		case err != nil:
			return err
		}
		whole := wire.Message{Message: m, Live: make([]wire.Live, len(m.Recipients))}
		for i, r := range m.Recipients {
			whole.Live[i].Paused = !r.Done && paused.Has(domain(r.Address))
		}
		return a.Message(whole)
	}
	for _, name := range names {
		if err := tell(o.q.Message(name.Number)); err != nil {
			return err
		}
	}
	if len(names) > 0 {
		return nil
	}
	for m, err := range o.q.Messages() {
		if err := tell(m, err); err != nil {
			return err
		}
	}
	return nil
}

// change does something to a message that stays.
func (o *offline) change(verb wire.Verb, m queue.Message) error {
	if m.Queued {
		return outcome.Fail("is not preprocessed yet; that takes qmail-send")
	}
	if !slices.ContainsFunc(m.Recipients, func(r queue.Recipient) bool { return !r.Done }) {
		return outcome.Fail("has no recipients left and ends when qmail-send runs")
	}
	switch verb {
	case wire.Hold:
		return o.mark(m.Number, queue.Held)
	case wire.Bounce:
		return o.mark(m.Number, queue.ToBounce)
	case wire.Requeue:
		return o.mark(m.Number, queue.ToQueue)
	case wire.Release:
		if m.Mark == queue.Unmarked {
			return outcome.Fail("is not held")
		}
		return errors.Join(o.mark(m.Number, queue.Unmarked), o.dueNow(m.Number))
	case wire.Retry:
		if m.Mark == queue.Held {
			return outcome.Fail("is held")
		}
		return o.dueNow(m.Number)
	}
	return outcome.Fail("cannot be done")
}

// mark leaves word for the next qmail-send, durably.
func (o *offline) mark(n queue.Number, m queue.Mark) error {
	lists, err := o.q.SetMark(n, m)
	for _, f := range lists {
		err = errors.Join(err, f.Sync(), f.Close())
	}
	return err
}

// dueNow makes a message due.
func (o *offline) dueNow(n queue.Number) error {
	now := []unix.Timeval{unix.NsecToTimeval(time.Now().UnixNano()), unix.NsecToTimeval(time.Now().UnixNano())}
	for _, k := range []queue.Kind{queue.Local, queue.Remote} {
		if err := unix.Utimes(o.q.Path(k, n), now); err != nil && err != unix.ENOENT {
			return &fs.PathError{Op: "utimes", Path: o.q.Path(k, n), Err: err}
		}
	}
	return nil
}

// runAll makes all messages due.
func (o *offline) runAll() error {
	for n, err := range o.q.Numbers(queue.Info) {
		if err == nil {
			err = o.dueNow(n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// remove removes a message. The envelope goes first, and what tells of recipients before
// the message itself, so that after a crash it is whole, or delivered to some, or gone:
// never a list without its message. Notes go before the lists, or a bounce would be
// sent.
func (o *offline) remove(n queue.Number) error {
	for _, k := range []queue.Kind{queue.Todo, queue.Bounce, queue.Local, queue.Remote, queue.Info, queue.Intd, queue.Mess} {
		if err := os.Remove(o.q.Path(k, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// printable makes every byte that is not printable ASCII an underscore.
func printable(text string) string { return excerpt.Printable(text, '_') }
