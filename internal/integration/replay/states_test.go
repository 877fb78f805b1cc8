package replay

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// wanted is how many states of each filesystem the short form looks at. Of the long one,
// GOQMAIL_REPLAY says how many.
var wanted = map[string]int{"ext4": 200, "xfs": 60, "btrfs": 60}

const (
	ofOne    = 500 // states of a recording at most
	messages = 40  // of a recording
	every    = 20  // states until the mail system is started on one
)

// TestMail has the mail system at work, and looks at the states that its disk could be in
// after a power cut, at any moment, as it is and in some after the mail system has gone
// on with it: nothing that was accepted is lost.
func TestMail(t *testing.T) {
	long := number(t, "GOQMAIL_REPLAY", 0)
	seed := number(t, "GOQMAIL_REPLAY_SEED", rand.Uint64())
	t.Logf("seed %d", seed)
	each(t, func(t *testing.T, kind Filesystem) {
		n := wanted[kind.Name]
		if long > 0 {
			n = int(long)
		}
		y := newSystem(t, kind)
		rng := rand.New(rand.NewPCG(seed, 0))
		states, starts, flushes, writes := 0, 0, 0, 0
		start := time.Now()
		for recording := 0; states < n; recording++ {
			log, begin := y.record(messages, recording%2 == 1)
			for _, e := range log.Events[begin:] {
				switch e.Kind {
				case Write:
					writes++
				case Flush:
					flushes++
				}
			}
			some := log.States(begin, min(n-states, ofOne), rng, kind)
			t.Logf("recording %d, after %v: %d events, %d states", recording, time.Since(start), len(log.Events)-begin, len(some))
			y.disk.Each(log, some, func(s State) {
				states++
				promises := log.Marks(s.Moment)
				found := lookAt(dir, kind)
				found.keeps(promises)
				if states%every == 0 && len(found.problems) == 0 {
					starts++
					promises = append(promises, y.goOn()...)
					found = lookAt(dir, kind)
					found.keeps(promises)
					found.finished()
				}
				for _, p := range found.problems {
					t.Errorf("%s", p)
				}
				if t.Failed() {
					t.Fatalf("seed %d: %v", seed, s)
				}
			})
		}
		t.Logf("%d states of %d writes and %d flushes; the mail system was started on %d; %v", states, writes, flushes, starts, time.Since(start))
	})
}

// number is what a variable says, or else what is usual.
func number(t *testing.T, variable string, usual uint64) uint64 {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return usual
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
