package queue

import (
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A Message is what the queue knows of a message, but for its text.
type Message struct {
	Number     Number
	Sender     string
	Born       time.Time // when it was preprocessed, from when its age is counted
	Size       int64     // bytes
	Queued     bool      // in todo, not preprocessed yet
	Noted      bool      // recipients have failed: there are notes for a bounce
	Mark       Mark
	Recipients []Recipient
}

// A Recipient is one of a message. Kind is Local or Remote, or Todo where it is not
// known yet. Next is when it is tried next, as the time of its list says; a running
// qmail-send knows better.
type Recipient struct {
	Kind    Kind
	Address string
	Done    bool
	Next    time.Time
}

// Message reads what there is of a message. While it is being read, the message may
// come, go, or change; then an error that is fs.ErrNotExist says that it is not there,
// and otherwise the result is what it was at some moment, or the recipients of one
// kind are those of a moment later than the rest.
func (q *Queue) Message(n Number) (Message, error) {
	m := Message{Number: n}
	m.Size = -1
	var st unix.Stat_t
	if unix.Stat(q.Path(Mess, n), &st) == nil {
		m.Size = st.Size
	}
	queued, err := m.readTodo(q)
	if queued || err != nil {
		return m, err
	}
	if err := m.readInfo(q); err != nil {
		return m, err
	}
	m.Noted = unix.Stat(q.Path(Bounce, n), &st) == nil
	return m, errors.Join(m.readList(q, Local), m.readList(q, Remote))
}

// readTodo reads the envelope of a message that is not preprocessed.
func (m *Message) readTodo(q *Queue) (queued bool, err error) {
	st, err := eachRecord(q, Todo, m.Number, func(r Record) {
		switch r.Kind {
		case 'F':
			m.Sender = string(r.Text)
		case 'T':
			m.Recipients = append(m.Recipients, Recipient{Kind: Todo, Address: string(r.Text)})
		}
	})
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	m.Queued, m.Born = true, time.Unix(st.Mtim.Unix())
	return true, err
}

func (m *Message) readInfo(q *Queue) error {
	st, err := eachRecord(q, Info, m.Number, func(r Record) {
		if r.Kind == 'F' {
			m.Sender = string(r.Text)
		}
	})
	m.Born = time.Unix(st.Mtim.Unix())
	return err
}

func (m *Message) readList(q *Queue, k Kind) error {
	first := len(m.Recipients)
	st, err := eachRecord(q, k, m.Number, func(r Record) {
		m.Recipients = append(m.Recipients, Recipient{Kind: k, Address: string(r.Text), Done: r.Kind == 'D'})
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if mark := MarkOf(st.Mode); mark != Unmarked {
		m.Mark = mark
	}
	for i := range m.Recipients[first:] {
		m.Recipients[first+i].Next = time.Unix(st.Mtim.Unix())
	}
	return err
}

// eachRecord goes through the records of a file. One that is cut off at the end is one
// that is being written, and not there yet.
func eachRecord(q *Queue, k Kind, n Number, do func(Record)) (st unix.Stat_t, err error) {
	f, err := q.OpenFile(k, n, os.O_RDONLY, 0)
	if err != nil {
		return st, err
	}
	defer f.Close()
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return st, &fs.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	for records := NewRecordReader(f, 0); ; {
		r, err := records.Next()
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			return st, nil
		}
		if err != nil {
			return st, &fs.PathError{Op: "read", Path: f.Name(), Err: err}
		}
		do(r)
	}
}

// Messages reads one message after another. What comes or goes meanwhile is there or
// not. An error is about the message with the number beside it, or where that is 0,
// about a directory. Of the numbers in todo a list is held; the rest takes no memory.
func (q *Queue) Messages() iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		seen := map[Number]bool{} // a message leaves todo, and has info then
		for _, k := range []Kind{Todo, Info} {
			for n, err := range q.Numbers(k) {
				if err == nil && seen[n] {
					continue
				}
				m := Message{Number: n}
				if err == nil {
					m, err = q.Message(n)
				}
				if err == nil && k == Todo {
					seen[n] = true
				}
				if errors.Is(err, fs.ErrNotExist) && n != 0 {
					continue
				}
				if !yield(m, err) {
					return
				}
			}
		}
	}
}
