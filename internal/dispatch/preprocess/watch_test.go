package preprocess

import (
	"os"
	"strings"
	"testing"
	"time"

	"goqmail/internal/dispatch/clean"
	"goqmail/queue"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// collect takes messages from reports until there are so many.
func (s *site) collect(t *testing.T, count int) (numbers []queue.Number, lines string) {
	t.Helper()
	for len(numbers) < count {
		select {
		case r := <-s.reports:
			for _, m := range r.Messages {
				numbers = append(numbers, m.Number)
			}
			lines += string(r.Lines.Text())
		case <-time.After(patience):
			t.Fatalf("%d messages of %d", len(numbers), count)
		}
	}
	return numbers, lines
}

// TestWatch: what is in todo at the start and what comes later is preprocessed,
// each once, however often the trigger is pulled.
func TestWatch(t *testing.T) {
	s := newSite(t)
	s.clean.dir = s.dir
	const before, later = 100, 60
	for n := 1; n <= before; n++ {
		s.put(t, n, envelope)
	}
	s.p.Clean = locked(s.clean)
	s.p.Start()
	seen := map[queue.Number]int{}
	first, _ := s.collect(t, before)
	for n := before + 1; n <= before+later; n++ {
		s.put(t, n, envelope)
		s.p.Queue.PullTrigger()
	}
	second, _ := s.collect(t, later)
	for _, n := range append(first, second...) {
		seen[n]++
	}
	for n := queue.Number(1); n <= before+later; n++ {
		if seen[n] != 1 {
			t.Errorf("message %d was preprocessed %d times", n, seen[n])
		}
	}
	s.p.Stop()
	s.put(t, 999, envelope)
	s.p.Queue.PullTrigger()
	if _, err := os.Stat(s.dir + "/todo/999"); err != nil || len(s.reports) != 0 {
		t.Errorf("%v; %d reports after the end", err, len(s.reports))
	}
}

// locked makes a remover one for several batches at once.
func locked(r *remover) Remover {
	slot := make(chan struct{}, 1)
	return removerFunc(func(n []queue.Number) []byte {
		slot <- struct{}{}
		defer func() { <-slot }()
		return r.Ask("todo", n...)
	})
}

// TestStopWaits: Stop comes back only when the batch under way is finished.
func TestStopWaits(t *testing.T) {
	s := newSite(t)
	s.put(t, 457, envelope)
	asked, answer := make(chan struct{}), make(chan struct{})
	s.p.Clean = removerFunc(func(n []queue.Number) []byte {
		close(asked)
		<-answer
		return []byte("+")
	})
	s.p.Start()
	<-asked
	stopped := make(chan struct{})
	go func() { s.p.Stop(); close(stopped) }()
	select {
	case <-stopped:
		t.Error("did not wait")
	default:
	}
	close(answer)
	<-stopped
	if len(s.reports) != 1 {
		t.Errorf("%d reports", len(s.reports))
	}
}

// TestScanTrouble: a todo that cannot be read is told and tried again soon.
func TestScanTrouble(t *testing.T) {
	s := newSite(t)
	os.RemoveAll(s.dir + "/todo")
	if wait := s.p.scan(); wait != opendirAgain {
		t.Errorf("waits %v", wait)
	}
	if r := <-s.reports; string(r.Lines.Text()) != "alert: unable to opendir todo, sleeping...\n" {
		t.Errorf("%q", r.Lines.Text())
	}
}

// TestWait: todo is left alone until the next message that made trouble is due, and
// what has gone from todo is forgotten.
func TestWait(t *testing.T) {
	s := newSite(t)
	s.p.inHand = map[queue.Number]hand{
		1: {again: noon.Add(20 * time.Second)},
		2: {again: noon.Add(50 * time.Second)},
		3: {again: noon.Add(-time.Second)},
		4: {working: true},
	}
	if wait := s.p.scan(); wait != 20*time.Second || len(s.p.inHand) != 3 {
		t.Errorf("waits %v, in hand %v", wait, s.p.inHand)
	}
	delete(s.p.inHand, 1)
	delete(s.p.inHand, 2)
	if wait := s.p.scan(); wait != rescan {
		t.Errorf("waits %v", wait)
	}
}

// TestTroublePullsTrigger: what has made trouble after todo was looked through is tried
// again when its time has come, also when no other message comes.
func TestTroublePullsTrigger(t *testing.T) {
	s := newSite(t)
	trigger := s.p.Queue.WatchTrigger()
	woken := make(chan bool)
	go func() {
		trigger.Wait(time.Minute)
		close(woken)
	}()
	s.p.inHand = map[queue.Number]hand{457: {working: true}}
	s.p.finish([]*message{{number: 457, trouble: true}})
	select {
	case <-woken:
	case <-time.After(10 * time.Second):
		t.Error("it waits for somebody else")
	}
}

// TestHold: a bounce is kept back until those are over that were being queued when
// it was found.
func TestHold(t *testing.T) {
	const bounce = "u2000\x00p6701\x00F\x00Ts@x\x00"
	for _, c := range []struct {
		name string
		do   func(*site) // with message 457 in todo, found when 1 and 2 were under way
		free bool
	}{
		{"nothing is over", func(s *site) {}, false},
		{"one of two is over", func(s *site) { s.p.Release(1) }, false},
		{"the other of two is over", func(s *site) { s.p.Release(2) }, false},
		{"both are over", func(s *site) { s.p.Release(2); s.p.Release(1) }, true},
		{"both are over, a third has begun", func(s *site) { s.p.Hold(); s.p.Release(2); s.p.Release(1) }, true},
		{"it has waited long enough", func(s *site) { s.p.Now = func() time.Time { return noon.Add(again) } }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			s.put(t, 457, bounce)
			s.put(t, 458, envelope)
			if s.p.Hold() != 1 || s.p.Hold() != 2 {
				t.Fatal("numbers")
			}
			if r := s.run(457, 458); len(r.Messages) != 1 || r.Messages[0].Number != 458 || strings.Contains(string(r.Lines.Text()), "457") {
				t.Fatalf("%s%v", r.Lines.Text(), r.Messages)
			}
			c.do(s)
			if s.p.take(457) != c.free {
				t.Fatalf("free %v", !c.free)
			}
			if r := s.run(457); c.free && len(r.Messages) != 1 {
				t.Errorf("kept back again: %+v", s.p.inHand)
			}
		})
	}
}

// TestHoldPullsTrigger: nobody else looks for what was kept back.
func TestHoldPullsTrigger(t *testing.T) {
	for _, late := range []bool{false, true} { // whether Release comes before the message is put aside
		s := newSite(t)
		s.put(t, 457, "u2000\x00p6701\x00F\x00Ts@x\x00")
		trigger := s.p.Queue.WatchTrigger()
		submission := s.p.Hold()
		batch := newWriter(s.p).preprocess([]queue.Number{457})
		if late {
			s.p.Release(submission)
			trigger.Wait(patience)
		}
		s.p.finish(batch)
		if !late {
			s.p.Release(submission)
		}
		trigger.Wait(time.Hour)
		if !s.p.take(457) {
			t.Error("it is still kept back")
		}
	}
}

func TestSubmitter(t *testing.T) {
	for envelope, want := range map[string]int{
		"u2000\x00p1\x00": 2000, "u0\x00": 0, "": -1, "u": -1, "u12": -1, "ux\x00": -1, "p1\x00u2\x00": -1, "u\x00": -1, "\x00": -1,
		"u" + strings.Repeat("1", 40) + "\x00": -1,
	} {
		if got := submitter(strings.NewReader(envelope)); got != want {
			t.Errorf("%q: %d, want %d", envelope, got, want)
		}
	}
}

type removerFunc func([]queue.Number) []byte

func (f removerFunc) Ask(_ clean.Order, numbers ...queue.Number) []byte { return f(numbers) }
