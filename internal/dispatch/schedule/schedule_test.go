package schedule

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"goqmail/internal/dispatch/route"
	"goqmail/queue"
)

func TestNext(t *testing.T) {
	const birth = 1_000_000_000
	for _, c := range []struct {
		channel   route.Channel
		age, want int64
	}{
		{route.Local, 0, 100},
		{route.Local, 99, 361}, // √99 is 9
		{route.Local, 100, 400},
		{route.Local, 3600, 4900},
		{route.Remote, 0, 400},
		{route.Remote, 390, 1521},
		{route.Remote, 400, 1600},
		{route.Remote, 1600, 3600},
		{route.Remote, 604800, 635209}, // a week: √604800 is 777
		{route.Remote, -5000, 400},     // born in the future
	} {
		if got := Next(c.channel, birth, birth+c.age); got != birth+c.want {
			t.Errorf("%s, tried at an age of %d: next at %d, want %d", c.channel, c.age, got-birth, c.want)
		}
	}
}

// TestNextIsLater: whatever the clock says, the next time is after this one, and
// nothing overflows.
func TestNextIsLater(t *testing.T) {
	for _, c := range []struct{ birth, now int64 }{
		{0, 0}, {0, 1 << 31}, {0, 1 << 32}, {1 << 40, 0}, {1 << 40, 1<<40 + 1}, {0, 1<<32 - 1},
	} {
		for ch := range route.Channel(route.Channels) {
			if got := Next(ch, c.birth, c.now); got <= min(c.now, c.birth+maxAge) || got > c.birth+2*maxAge {
				t.Errorf("born %d, now %d: next %d", c.birth, c.now, got)
			}
		}
	}
	for root := int64(1); root < 1<<16; root += 37 { // the square root is exact
		for _, age := range []int64{root*root - 1, root * root} {
			got := Next(route.Local, 0, age)
			want := root + 10
			if age < root*root {
				want--
			}
			if got != want*want {
				t.Fatalf("age %d: %d", age, got)
			}
		}
	}
}

// TestQueue: entries come out by time, whatever was done in between.
func TestQueue(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var q Queue
	var model []int64
	for i := range 20_000 {
		if r.IntN(5) < 3 {
			due := r.Int64N(1000)
			q.Push(Entry{Due: due, Number: queue.Number(i)})
			model = append(model, due)
			slices.Sort(model)
			continue
		}
		now := r.Int64N(1000)
		e, ok := q.PopDue(now)
		if ok != (len(model) > 0 && model[0] <= now) || ok && e.Due != model[0] {
			t.Fatalf("popped %v %v, want %v", e, ok, model[:min(1, len(model))])
		}
		if ok {
			model = model[1:]
		}
	}
	if q.Len() != len(model) {
		t.Errorf("%d left, want %d", q.Len(), len(model))
	}
	seen := 0
	for range q.All() {
		seen++
	}
	if seen != len(model) {
		t.Errorf("%d listed", seen)
	}
	for range q.All() {
		break
	}
}

func TestRunAll(t *testing.T) {
	var q Queue
	if _, ok := q.Min(); ok {
		t.Error("an empty queue has a first entry")
	}
	for i, due := range []int64{500, 300, 400} {
		q.Push(Entry{Due: due, Number: queue.Number(i + 1), Saved: true})
	}
	if _, ok := q.PopDue(299); ok {
		t.Error("too early")
	}
	q.RunAll(10)
	seen := map[queue.Number]bool{}
	for e, ok := q.PopDue(10); ok; e, ok = q.PopDue(10) {
		if e.Due != 10 || e.Saved {
			t.Errorf("%+v", e)
		}
		seen[e.Number] = true
	}
	if len(seen) != 3 {
		t.Errorf("%v", seen)
	}
}

// TestSooner: all that waits is due so much sooner, and its file time is not right.
func TestSooner(t *testing.T) {
	var q Queue
	for n := range queue.Number(3) {
		q.Push(Entry{Due: 1000 - int64(n), Number: n, Saved: true})
	}
	q.Sooner(400)
	for n := range queue.Number(3) {
		want := Entry{Due: 598 + int64(n), Number: 2 - n}
		if e, due := q.PopDue(math.MaxInt64); !due || e != want {
			t.Errorf("%+v, want %+v", e, want)
		}
	}
}

// TestTake: what is left comes out by time.
func TestTake(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for size := range 100 {
		var q Queue
		for i := range size {
			q.Push(Entry{Due: r.Int64N(50), Number: queue.Number(i)})
		}
		taken := q.Take(func(n queue.Number) bool { return n%3 == 0 })
		for _, e := range taken {
			if e.Number%3 != 0 {
				t.Errorf("took %d", e.Number)
			}
		}
		if len(taken) != (size+2)/3 || q.Len() != size-len(taken) {
			t.Errorf("of %d took %d, left %d", size, len(taken), q.Len())
		}
		last := int64(0)
		for e, ok := q.PopDue(50); ok; e, ok = q.PopDue(50) {
			if e.Due < last || e.Number%3 == 0 {
				t.Errorf("%+v after %d", e, last)
			}
			last = e.Due
		}
	}
}

// TestSize: what a waiting message costs is a promise: a million lists fit in 24 MB,
// and in no more than three times that while the queue grows.
func TestSize(t *testing.T) {
	if size := reflect.TypeFor[Entry]().Size(); size > 24 {
		t.Errorf("%d bytes", size)
	}
}

func BenchmarkPushPop(b *testing.B) {
	var q Queue
	for i := range 1_000_000 {
		q.Push(Entry{Due: int64(i * 7919 % 1_000_003)})
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e, _ := q.PopDue(math.MaxInt64)
		e.Due += int64(i % 1000)
		q.Push(e)
	}
}
