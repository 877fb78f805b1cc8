package send

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"goqmail/internal/dispatch/route"
	"goqmail/internal/dispatch/schedule"
	"goqmail/queue"
	"goqmail/queue/queuetest"
)

// waiting lists what is in a queue, as "number due".
func waiting(q *schedule.Queue, start int64) (list []string) {
	for e := range q.All() {
		list = append(list, fmt.Sprint(e.Number, " ", e.Due-start))
	}
	slices.Sort(list)
	return list
}

// TestLoad: every message is taken up where it is in its life.
func TestLoad(t *testing.T) {
	b := newBench(t, 10)
	b.Record = &bytes.Buffer{}
	at := func(name string, due time.Duration) {
		queuetest.Put(t, b.dir, name, "Ta@x\x00")
		os.Chtimes(b.dir+"/"+name, noon, noon.Add(due))
	}
	for _, n := range []int{1, 2, 3, 4, 5, 6} {
		queuetest.Put(t, b.dir, fmt.Sprintf("mess/%d/%d", n%23, n), "")
	}
	at("info/1/1", 0) // both lists
	at("local/1/1", time.Hour)
	at("remote/1/1", -time.Hour)
	at("info/2/2", 0) // one list
	at("remote/2/2", time.Minute)
	at("info/3/3", 0) // none
	at("info/4/4", 0) // not preprocessed to the end
	at("local/4/4", 0)
	at("todo/4", 0)
	at("local/5/5", 0)       // no info: an admin is at work
	at("info/6/6", 0)        // in the wrong directory
	at("local/7/6", 0)       //
	at("info/1/x", 0)        // no number
	at("info/0/23", 0)       // a list that cannot be looked at
	at("local/0/24.away", 0) //
	os.Symlink("23", b.dir+"/local/0/23")
	at("mess/0/23", 0)
	b.load()
	b.applyAll()
	b.writeRecord()
	local, remote := waiting(&b.channels[route.Local].queue, b.now), waiting(&b.channels[route.Remote].queue, b.now)
	if fmt.Sprint(local) != "[1 3600]" || fmt.Sprint(remote) != "[1 -3600 2 60]" {
		t.Errorf("local %v, remote %v", local, remote)
	}
	if got := waiting(&b.finished, b.now); fmt.Sprint(got) != "[3 0 6 0]" {
		t.Errorf("finished %v", got)
	}
	if got := waiting(&b.unknown, b.now); fmt.Sprint(got) != "[23 123]" {
		t.Errorf("unknown %v", got)
	}
	if len(b.both) != 1 {
		t.Errorf("both %v", b.both)
	}
	const warning = "warning: unable to stat local/0/23; will try again later\n"
	if got := b.Record.(*bytes.Buffer).String(); got != warning {
		t.Errorf("%q", got)
	}
	// It is looked at again later, when its state may be any.
	b.look(23)
	if b.record() != warning || b.unknown.Len() != 2 {
		t.Errorf("still unknown: %v", waiting(&b.unknown, b.now))
	}
	os.Remove(b.dir + "/local/0/23")
	at("remote/0/23", time.Second)
	b.look(23)
	if got := waiting(&b.channels[route.Remote].queue, b.now); fmt.Sprint(got) != "[1 -3600 2 60 23 1]" {
		t.Errorf("remote %v", got)
	}
	os.Remove(b.dir + "/info/0/23")
	b.look(23)
	at("info/0/23", 0)
	at("todo/23", 0)
	b.look(23)
	if got := b.channels[route.Remote].queue.Len(); got != 3 {
		t.Errorf("%d in the queue", got)
	}
}

// TestGone: of a message without mess/N nothing is delivered, returned or, while it is
// young, removed.
func TestGone(t *testing.T) {
	b := newBench(t, 10)
	b.Record = &bytes.Buffer{}
	for n, age := range map[int]time.Duration{24: queue.Ossified - time.Second, 25: queue.Ossified + time.Second} {
		for _, k := range []queue.Kind{queue.Info, queue.Local, queue.Remote, queue.Bounce} {
			queuetest.Put(t, b.dir, b.q.Name(k, queue.Number(n)), "Ta@x\x00")
		}
		os.Chtimes(b.q.Path(queue.Info, queue.Number(n)), noon, noon.Add(-age))
	}
	b.load()
	b.applyAll()
	b.writeRecord()
	for _, q := range []*schedule.Queue{&b.channels[route.Local].queue, &b.channels[route.Remote].queue, &b.finished, &b.unknown} {
		if q.Len() > 0 {
			t.Errorf("in the queue: %v", waiting(q, b.now))
		}
	}
	if left := queuetest.Files(t, b.dir); fmt.Sprint(left) != "[bounce/24 info/1/24 local/1/24 remote/1/24]" {
		t.Errorf("left: %v", left)
	}
	got := b.Record.(*bytes.Buffer).String()
	for _, want := range []string{"warning: mess/1/24 is gone; ignoring info/1/24\n", "warning: mess/2/25 is gone; removed info/2/25\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q", got)
		}
	}
	b.look(24)
	if got := b.record(); got != "warning: mess/1/24 is gone; ignoring info/1/24\n" || b.finished.Len() > 0 {
		t.Errorf("later: %q", got)
	}
}

// TestFound: a message that is found after everything was made due is due.
func TestFound(t *testing.T) {
	b := newBench(t, 10)
	b.signal(RunAll)
	later := b.now + 1000
	discovered{{number: 457, lists: [route.Channels]bool{true, true}, due: [route.Channels]int64{later, later}}}.apply(b.scheduler)
	for _, c := range b.channels {
		if first, _ := c.queue.Min(); first.Due != b.now {
			t.Errorf("%v", first)
		}
	}
}

// TestExitWhileLoading: who is to leave does not begin to preprocess, and has nothing
// to wait for.
func TestExitWhileLoading(t *testing.T) {
	b := newBench(t, 10)
	b.startNotes()
	b.exit()
	loaded{}.apply(b.scheduler)
	if b.preprocessing || !b.over() {
		t.Error("it stays")
	}
}

// TestTimes: what is waiting at the end has its time in its list, unless that is
// there already.
func TestTimes(t *testing.T) {
	b := newBench(t, 10)
	for n := 1; n <= 3; n++ {
		b.put(n, "local", "Ta@x\x00")
		os.Chtimes(b.q.Path(queue.Local, queue.Number(n)), noon, noon)
	}
	c := b.channels[route.Local]
	c.queue.Push(schedule.Entry{Due: b.now + 400, Number: 1})
	c.queue.Push(schedule.Entry{Due: b.now + 800, Number: 2, Saved: true})
	c.queue.Push(schedule.Entry{Due: b.now + 800, Number: 4})
	b.saveTimes()
	for n, want := range map[queue.Number]time.Duration{1: 400 * time.Second, 2: 0, 3: 0} {
		if st, err := os.Stat(b.q.Path(queue.Local, n)); err != nil || st.ModTime().Sub(noon) != want {
			t.Errorf("message %d: %v", n, st.ModTime())
		}
	}
	if got := b.record(); got != "warning: unable to utime local/4/4; message will be retried too soon\n" {
		t.Errorf("%q", got)
	}
}

// TestSetBack: when the clock is set back by a year, nothing waits for a year, and a
// message does not come to be tried for a year longer.
func TestSetBack(t *testing.T) {
	const year = 365 * 24 * time.Hour
	b := newBench(t, 10)
	for n := 1; n <= 4; n++ {
		b.put(n, "remote", "Ta@x\x00")
	}
	c := b.channels[route.Remote]
	b.rest(c, schedule.Entry{Due: b.now + 100, Number: 1, Saved: true})
	b.rest(c, schedule.Entry{Due: b.now, Number: 3})
	b.finished.Push(schedule.Entry{Due: b.now + 300, Number: 5})
	b.unknown.Push(schedule.Entry{Due: b.now + 400, Number: 6})
	b.start() // a delivery of message 3 begins
	b.Now = func() time.Time { return noon.Add(-year) }
	b.readClock()
	b.report(route.Remote, 0, "Zlater\n")
	if got := waiting(&c.queue, b.now); fmt.Sprint(got) != "[1 100 3 400]" {
		t.Errorf("%v", got)
	}
	if f, u := waiting(&b.finished, b.now), waiting(&b.unknown, b.now); fmt.Sprint(f, u) != "[5 300] [6 400]" {
		t.Errorf("finished %v, unknown %v", f, u)
	}
	if got := b.record(); !strings.Contains(got, "warning: the clock was set back by 31536000 seconds\n") {
		t.Errorf("%q", got)
	}
	b.saveTimes()
	if st, err := os.Stat(b.q.Path(queue.Remote, 1)); err != nil || st.ModTime().Unix() != b.now+100 {
		t.Errorf("its list: %v, %v", st.ModTime(), err)
	}
	// What has a time of the other year in a file begins to age now.
	b.rest(c, schedule.Entry{Due: noon.Unix(), Number: 4, Saved: true})
	b.start()
	b.report(route.Remote, 0, "Zlater\n")
	if got := waiting(&c.queue, b.now); fmt.Sprint(got) != "[1 100 3 400 4 400]" {
		t.Errorf("%v", got)
	}
	if st, err := os.Stat(b.q.Path(queue.Info, 4)); err != nil || st.ModTime().Unix() != b.now {
		t.Errorf("its birth: %v, %v", st.ModTime(), err)
	}
}

// TestDebris: what nobody has used for 36 hours goes, if it is neither queued nor
// preprocessed.
func TestDebris(t *testing.T) {
	for _, c := range []struct {
		name  string
		files string
		age   time.Duration
		gone  bool
	}{
		{"message", "mess/20/457", queue.Ossified + time.Second, true},
		{"message and envelope", "mess/20/457 intd/457", queue.Ossified + time.Second, true},
		{"with files that came back", "mess/20/457 local/20/457 remote/20/457 bounce/457", queue.Ossified + time.Second, true},
		{"young", "mess/20/457 intd/457", queue.Ossified - time.Second, false},
		{"queued", "mess/20/457 todo/457", queue.Ossified + time.Second, false},
		{"preprocessed", "mess/20/457 info/20/457", queue.Ossified + time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, 10)
			var files []string
			for name := range bytes.FieldsSeq([]byte(c.files)) {
				queuetest.Put(t, b.dir, string(name), "")
				files = append(files, string(name))
			}
			os.Chtimes(b.dir+"/mess/20/457", noon.Add(-c.age), noon.Add(-1000*time.Hour))
			b.removeDebrisIn(20)
			if c.gone {
				files = nil
			}
			slices.Sort(files)
			if got := queuetest.Files(t, b.dir); !slices.Equal(got, files) {
				t.Errorf("left %v", got)
			}
		})
	}
}

// TestDebrisWaits: a message that is just leaving is not looked at, for its number
// may be that of another a moment later.
func TestDebrisWaits(t *testing.T) {
	b := newBench(t, 10)
	queuetest.Put(t, b.dir, "mess/20/457", "")
	old := noon.Add(-2 * queue.Ossified)
	os.Chtimes(b.dir+"/mess/20/457", old, old)
	b.leaving.RLock() // 457 is leaving
	removed := make(chan struct{})
	go func() { b.removeDebrisIn(20); close(removed) }()
	os.Remove(b.dir + "/mess/20/457") // it has left,
	queuetest.Put(t, b.dir, "mess/20/457", "")
	os.Chtimes(b.dir+"/mess/20/457", noon, noon) // and another has come
	b.leaving.RUnlock()
	<-removed
	if got := queuetest.Files(t, b.dir); len(got) != 1 {
		t.Errorf("left %v", got)
	}
}

// TestDebrisTrouble: what cannot be read or removed is told.
func TestDebrisTrouble(t *testing.T) {
	b := newBench(t, 10)
	queuetest.Put(t, b.dir, "mess/20/457", "")
	os.Mkdir(b.dir+"/intd/457", 0o755)
	old := noon.Add(-2 * queue.Ossified)
	os.Chtimes(b.dir+"/mess/20/457", old, old)
	b.removeDebrisIn(20)
	os.Remove(b.dir + "/mess/7")
	b.removeDebrisIn(7)
	b.applyAll()
	want := "warning: qmail-clean unable to clean up foop/457\nalert: unable to opendir mess/7, sleeping...\n"
	if got := b.record(); got != want {
		t.Errorf("%q", got)
	}
}

// BenchmarkLoad is what a waiting message costs at the start, in time and memory.
func BenchmarkLoad(b *testing.B) {
	const messages = 100_000
	s := newBench(b, 10)
	s.Record = &bytes.Buffer{}
	for n := queue.Number(1); n <= messages; n++ {
		for _, k := range []queue.Kind{queue.Info, queue.Remote} {
			if f, err := os.Create(s.q.Path(k, n)); err == nil {
				f.Close()
			}
		}
	}
	b.ReportAllocs()
	var before, after runtime.MemStats
	for b.Loop() {
		s.channels[route.Remote].queue = schedule.Queue{}
		runtime.GC()
		runtime.ReadMemStats(&before)
		s.load()
		s.applyAll()
		runtime.GC()
		runtime.ReadMemStats(&after)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/messages, "ns/message")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/messages, "B/message")
}
