package schedule

import (
	"iter"

	"goqmail/queue"
)

// An Entry is a message and the time at which it is due.
type Entry struct {
	Due    int64
	Number queue.Number
	Saved  bool // the file time of its recipient list says so too
}

// A Queue holds entries; the one that is due first is found at once. The zero
// Queue is empty. It is a binary heap.
type Queue struct{ entries []Entry }

// Len is the number of entries.
func (q *Queue) Len() int { return len(q.entries) }

// Min returns the entry that is due first.
func (q *Queue) Min() (Entry, bool) {
	if len(q.entries) == 0 {
		return Entry{}, false
	}
	return q.entries[0], true
}

// Push adds an entry.
func (q *Queue) Push(e Entry) {
	q.entries = append(q.entries, e)
	i := len(q.entries) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if q.entries[parent].Due <= e.Due {
			break
		}
		q.entries[i] = q.entries[parent]
		i = parent
	}
	q.entries[i] = e
}

// PopDue removes and returns the first entry if it is due.
func (q *Queue) PopDue(now int64) (Entry, bool) {
	first, ok := q.Min()
	if !ok || first.Due > now {
		return Entry{}, false
	}
	n := len(q.entries) - 1
	last := q.entries[n]
	q.entries = q.entries[:n]
	if n > 0 {
		q.sink(last)
	}
	return first, true
}

// sink puts an entry in the place of the first and moves it down to where it
// belongs.
func (q *Queue) sink(e Entry) {
	i := 0
	for {
		child := 2*i + 1
		if child >= len(q.entries) {
			break
		}
		if right := child + 1; right < len(q.entries) && q.entries[right].Due < q.entries[child].Due {
			child = right
		}
		if e.Due <= q.entries[child].Due {
			break
		}
		q.entries[i] = q.entries[child]
		i = child
	}
	q.entries[i] = e
}

// RunAll makes every entry due now.
func (q *Queue) RunAll(now int64) {
	for i := range q.entries {
		q.entries[i].Due, q.entries[i].Saved = now, false
	}
}

// All lists the entries in no particular order.
func (q *Queue) All() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for _, e := range q.entries {
			if !yield(e) {
				return
			}
		}
	}
}
