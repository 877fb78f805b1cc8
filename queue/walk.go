package queue

import (
	"errors"
	"io"
	"iter"
	"os"
	"strconv"
)

// batch is how many names are read from a directory at once.
const batch = 1024

// Numbers lists the messages that have a file of a kind. It goes through one
// directory after another and holds a few names at a time, so that a million
// messages take no memory. A directory that cannot be read yields its error once
// and is passed over; names that are no numbers are passed over in silence.
func (q *Queue) Numbers(k Kind) iter.Seq2[Number, error] {
	return func(yield func(Number, error) bool) {
		if !k.split() {
			numbersIn(q.join(string(k)), yield)
			return
		}
		for i := range q.split {
			if !numbersIn(q.part(k, i), yield) {
				return
			}
		}
	}
}

// NumbersIn is Numbers for one subdirectory. For a kind that has none it lists
// them all.
func (q *Queue) NumbersIn(k Kind, part uint64) iter.Seq2[Number, error] {
	return func(yield func(Number, error) bool) {
		dir := q.join(string(k))
		if k.split() {
			dir = q.part(k, part)
		}
		numbersIn(dir, yield)
	}
}

func (q *Queue) part(k Kind, i uint64) string { return q.join(string(k), strconv.FormatUint(i, 10)) }

// numbersIn yields the numbers in one directory, and tells whether to go on.
func numbersIn(dir string, yield func(Number, error) bool) bool {
	f, err := os.Open(dir)
	if err != nil {
		return yield(0, err)
	}
	defer f.Close()
	for {
		names, err := f.Readdirnames(batch)
		for _, name := range names {
			if n, ok := ParseNumber(name); ok && !yield(n, nil) {
				return false
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return true
		case err != nil:
			return yield(0, err)
		}
	}
}
