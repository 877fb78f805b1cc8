package schedule

import (
	"iter"
	"slices"

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
func (q *Queue) sink(e Entry) { q.sinkFrom(0, e) }

// sinkFrom is sink from another place.
func (q *Queue) sinkFrom(i int, e Entry) {
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

// Sooner makes every entry due so many seconds sooner.
func (q *Queue) Sooner(seconds int64) {
	for i := range q.entries {
		q.entries[i].Due, q.entries[i].Saved = q.entries[i].Due-seconds, false
	}
}

// Take removes the entries of some messages and returns them, in no particular
// order. It goes through all of the queue.
func (q *Queue) Take(of func(queue.Number) bool) (taken []Entry) {
	left := q.entries[:0]
	for _, e := range q.entries {
		if of(e.Number) {
			taken = append(taken, e)
		} else {
			left = append(left, e)
		}
	}
	if q.entries = left; len(taken) == 0 {
		return nil // in the order it was
	}
	for i := len(left)/2 - 1; i >= 0; i-- {
		q.sinkFrom(i, left[i])
	}
	return taken
}

// Copy returns a copy of the entries, in no particular order.
func (q *Queue) Copy() []Entry { return slices.Clone(q.entries) }

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
