package replay

import (
	"fmt"
	"math/rand/v2"
)

// A State is one that the disk can be in after a power cut.
type State struct {
	Flush  int     // the event up to which all that was written is there
	Moment int     // the event before which the power was cut
	Kept   []Piece // what is there of what was written between the two
	what   string  // how it was chosen
}

func (s State) String() string {
	return fmt.Sprintf("all up to event %d, and of those before %d %s: %v", s.Flush, s.Moment, s.what, s.Kept)
}

// A Piece is a part of a write.
type Piece struct{ Event, From, To int }

// An interval is what is between two flushes.
type interval struct {
	flush, end int   // the events that are the flushes
	writes     []int // those between them
}

// intervals are those after an event.
func (l *Log) intervals(begin int) (all []interval) {
	now := interval{flush: -1}
	for i, e := range l.Events {
		switch e.Kind {
		case Write:
			now.writes = append(now.writes, i)
		case Flush:
			now.end = i
			if now.flush >= begin {
				all = append(all, now)
			}
			now = interval{flush: i}
		}
	}
	return all
}

// A choice makes a state of an interval. The first choices are tried everywhere, before
// the others are.
type choice struct {
	what string
	keep func(rng *rand.Rand, l *Log, writes []int, kind Filesystem) []Piece
	late bool // the moment is at the end of the interval, and any otherwise
}

var choices = []choice{
	{"none", func(*rand.Rand, *Log, []int, Filesystem) []Piece { return nil }, true},
	{"all", func(_ *rand.Rand, l *Log, writes []int, _ Filesystem) []Piece {
		return l.pieces(writes, func(int) bool { return true })
	}, false},
	{"any", func(rng *rand.Rand, l *Log, writes []int, _ Filesystem) []Piece {
		return l.pieces(writes, func(int) bool { return rng.IntN(2) == 0 })
	}, true},
	{"few", func(rng *rand.Rand, l *Log, writes []int, _ Filesystem) []Piece {
		return l.pieces(writes, func(int) bool { return rng.IntN(8) == 0 })
	}, true},
	{"most", func(rng *rand.Rand, l *Log, writes []int, _ Filesystem) []Piece {
		return l.pieces(writes, func(int) bool { return rng.IntN(8) > 0 })
	}, true},
	{"the last torn", func(rng *rand.Rand, l *Log, writes []int, kind Filesystem) []Piece {
		kept := l.pieces(writes, func(int) bool { return true })
		return l.tear(rng, kept, len(kept)-1, kind)
	}, false},
	{"any, and any of them torn", func(rng *rand.Rand, l *Log, writes []int, kind Filesystem) []Piece {
		kept := l.pieces(writes, func(int) bool { return rng.IntN(2) == 0 })
		for i := range kept {
			if rng.IntN(2) == 0 {
				kept = l.tear(rng, kept, i, kind)
			}
		}
		return kept
	}, false},
}

// pieces are those writes, whole, that a choice is for.
func (l *Log) pieces(writes []int, keep func(i int) bool) (kept []Piece) {
	for i, w := range writes {
		if keep(i) {
			kept = append(kept, Piece{w, 0, len(l.Events[w].Data)})
		}
	}
	return kept
}

// sector is what a disk writes whole, in bytes.
const sector = 512

// tear leaves the beginning or the end of a piece, as far as it has several sectors.
func (l *Log) tear(rng *rand.Rand, kept []Piece, i int, kind Filesystem) []Piece {
	if i < 0 || kept[i].To <= sector {
		return kept
	}
	at := sector * (1 + rng.IntN(kept[i].To/sector-1))
	for _, w := range kind.whole {
		if offset := l.Events[kept[i].Event].Offset; w.from < offset+int64(at) && offset+int64(at) < w.to {
			at = int(w.to - offset)
		}
	}
	if rng.IntN(2) == 0 {
		kept[i].From = at
	} else {
		kept[i].To = at
	}
	return kept
}

// States are as many different states as are wanted of those after an event, or fewer
// where there are no more to be found. The more there are, the more ways each interval
// between two flushes is cut in.
func (l *Log) States(begin, wanted int, rng *rand.Rand, kind Filesystem) (states []State) {
	all := l.intervals(begin)
	seen := map[string]bool{}
	for round, found := 0, -1; found != 0 || round < len(choices); round++ {
		found = 0
		c := choices[min(round, len(choices)-1)]
		if round >= len(choices) {
			c = choices[2+rng.IntN(len(choices)-2)]
		}
		for _, n := range rng.Perm(len(all)) {
			s := l.state(all[n], c, rng, kind)
			key := fmt.Sprint(s.Flush, s.Kept, len(l.Marks(s.Moment)))
			if seen[key] {
				continue
			}
			seen[key] = true
			found++
			if states = append(states, s); len(states) == wanted {
				return states
			}
		}
	}
	return states
}

func (l *Log) state(i interval, c choice, rng *rand.Rand, kind Filesystem) State {
	s := State{Flush: i.flush, Moment: i.end, what: c.what}
	if !c.late {
		s.Moment -= rng.IntN(i.end - i.flush)
	}
	writes := i.writes
	for len(writes) > 0 && writes[len(writes)-1] >= s.Moment {
		writes = writes[:len(writes)-1]
	}
	s.Kept = c.keep(rng, l, writes, kind)
	return s
}
