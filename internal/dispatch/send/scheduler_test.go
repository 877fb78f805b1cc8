package send

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"goqmail/internal/dispatch/clean"
	"goqmail/internal/dispatch/preprocess"
	"goqmail/internal/dispatch/route"
	"goqmail/internal/dispatch/schedule"
	"goqmail/internal/host/child"
	"goqmail/internal/mail/fold"
	"goqmail/internal/wire/spawn"
	"goqmail/queue"
	"goqmail/queue/queuetest"

	"golang.org/x/sys/unix"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// A bench is a scheduler with nothing beside it: a test applies the events itself.
type bench struct {
	*scheduler
	t   testing.TB
	dir string
}

func newBench(t testing.TB, limit int) *bench { return benchIn(t, queuetest.New(t, 23), limit) }

// benchIn makes a scheduler of a queue.
func benchIn(t testing.TB, dir string, limit int) *bench {
	q, err := queue.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &scheduler{
		found:    many,
		q:        q,
		events:   make(chan event, 100),
		stop:     make(chan struct{}),
		notes:    make(chan note, maxNotes+2*limit),
		both:     map[queue.Number]struct{}{},
		runs:     1,
		admin:    newAdmin(),
		now:      noon.Unix(),
		maxLists: 2*limit + 20,
	}
	s.Now = func() time.Time { return noon }
	s.settings.Lifetime = defaultLifetime
	s.routes.Store(&route.Table{Locals: fold.NewSet([]string{"here.example"})})
	s.preprocessor = &preprocess.Preprocessor{Queue: q}
	for c := range s.channels {
		s.channels[c] = &channel{Channel: route.Channel(c), alive: true, limit: limit, lists: map[queue.Number]*list{}}
	}
	s.Width = spawn.Wide
	fromClient, requests := io.Pipe()
	answers, toClient := io.Pipe()
	go clean.Serve(dir, fromClient, toClient, s.Now)
	t.Cleanup(func() { requests.Close() })
	s.clean = clean.NewClient(requests, answers, func() {})
	return &bench{s, t, dir}
}

// put puts a preprocessed message into the queue.
func (b *bench) put(n int, kind, list string) {
	queuetest.Put(b.t, b.dir, fmt.Sprintf("mess/%d/%d", n%23, n), "body\n")
	info := fmt.Sprintf("info/%d/%d", n%23, n)
	queuetest.Put(b.t, b.dir, info, "Fs@x\x00")
	os.Chtimes(b.dir+"/"+info, noon, noon)
	queuetest.Put(b.t, b.dir, fmt.Sprintf("%s/%d/%d", kind, n%23, n), list)
}

// record takes the record so far.
func (b *bench) record() string {
	text := string(b.lines.Text())
	b.lines.Clear()
	return text
}

// commands takes the commands to a spawner so far.
func (b *bench) commands(c route.Channel) (list []spawn.Command) {
	p := &b.channels[c].pipe
	r := spawn.NewCommands(bytes.NewReader(p.pending), b.Width)
	p.pending = nil
	for {
		command, err := r.Next()
		if err != nil {
			return list
		}
		list = append(list, command)
	}
}

// report reports on a delivery.
func (b *bench) report(c route.Channel, delivery uint32, text string) {
	reported{b.channels[c], []spawn.Report{{Delivery: delivery, Text: text}}}.apply(b.scheduler)
}

// recipients are those of the commands.
func recipients(list []spawn.Command) string {
	var all []string
	for _, c := range list {
		all = append(all, c.Recipient)
	}
	return strings.Join(all, " ")
}

// records makes a recipient list.
func records(prefix string, count int) string {
	var b strings.Builder
	for i := range count {
		fmt.Fprintf(&b, "T%s%d@x\x00", prefix, i)
	}
	return b.String()
}

// TestGiveWay: a long list does not hold up other messages for longer than its turn,
// and nobody is left out.
func TestGiveWay(t *testing.T) {
	b := newBench(t, 1)
	c := b.channels[route.Local]
	b.put(1, "local", records("long", 120))
	b.put(2, "local", records("other", 70))
	for n := 3; n <= 5; n++ {
		b.put(n, "local", records(fmt.Sprintf("short%d-", n), 1))
	}
	for n := 1; n <= 5; n++ {
		c.queue.Push(schedule.Entry{Due: b.now - 100 + int64(n), Number: queue.Number(n)})
	}
	var order []string
	for range 200 {
		b.start()
		for _, cmd := range b.commands(route.Local) {
			name := strings.TrimRight(strings.TrimSuffix(cmd.Recipient, "@x"), "0123456789")
			if len(order) == 0 || !strings.HasPrefix(order[len(order)-1], name+" ") {
				order = append(order, name+" 0")
			}
			var count int
			fmt.Sscanf(order[len(order)-1], name+" %d", &count)
			order[len(order)-1] = fmt.Sprint(name, " ", count+1)
			b.report(route.Local, cmd.Delivery, "Kok\n")
		}
		for b.ends.running > 0 {
			(<-b.events).apply(b.scheduler)
		}
	}
	want := "long 50, other 50, short3- 1, long 50, short4- 1, other 20, short5- 1, long 20"
	if got := strings.Join(order, ", "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if b.lists != 0 || len(b.readers) == 0 {
		t.Errorf("%d lists open", b.lists)
	}
}

// TestManyAside: no more than a few lists are open because they have given way.
func TestManyAside(t *testing.T) {
	b := newBench(t, 1)
	const messages = 20
	for n := 1; n <= messages; n++ {
		b.put(n, "remote", records(fmt.Sprint("m", n, "-"), 200))
		b.channels[route.Remote].queue.Push(schedule.Entry{Due: b.now, Number: queue.Number(n)})
	}
	seen := map[string]bool{}
	for range messages*200 + 10 {
		b.start()
		for _, cmd := range b.commands(route.Remote) {
			seen[cmd.Recipient] = true
			b.report(route.Remote, cmd.Delivery, "Zlater\n")
		}
		if open := len(b.channels[route.Remote].aside); open > maxAside+1 || b.lists > maxAside+2 {
			t.Fatalf("%d aside, %d open", open, b.lists)
		}
	}
	if len(seen) != messages*200 || b.lists != 0 {
		t.Errorf("%d recipients, %d lists open", len(seen), b.lists)
	}
}

// TestThousandsAtOnce: with wide numbers as many deliveries run as are allowed, each
// has a number of its own, and the numbers are used again.
func TestThousandsAtOnce(t *testing.T) {
	const limit = 5000
	b := newBench(t, limit)
	b.put(1, "remote", records("r", limit+500))
	b.channels[route.Remote].queue.Push(schedule.Entry{Due: b.now, Number: 1})
	running := map[uint32]bool{}
	for len(running) < limit {
		before := len(running)
		b.start()
		for _, cmd := range b.commands(route.Remote) {
			if running[cmd.Delivery] || cmd.Delivery >= limit {
				t.Fatalf("number %d", cmd.Delivery)
			}
			running[cmd.Delivery] = true
		}
		if len(running) == before {
			t.Fatalf("only %d at once", before)
		}
	}
	b.start()
	if more := b.commands(route.Remote); len(more) != 0 {
		t.Errorf("%d too many", len(more))
	}
	b.report(route.Remote, 77, "Kok\n")
	b.report(route.Remote, 4711, "Zlater\n")
	b.start()
	if more := b.commands(route.Remote); len(more) != 2 || more[0].Delivery != 4711 || more[1].Delivery != 77 {
		t.Errorf("%v", more)
	}
}

// TestPressure: commands that the spawner does not take hold up the start of more,
// and nothing else.
func TestPressure(t *testing.T) {
	b := newBench(t, 10_000)
	b.put(1, "local", records(strings.Repeat("x", 500), 1000))
	b.channels[route.Local].queue.Push(schedule.Entry{Due: b.now, Number: 1})
	b.put(2, "remote", records("r", 1))
	b.channels[route.Remote].queue.Push(schedule.Entry{Due: b.now, Number: 2})
	b.start()
	if pending := len(b.channels[route.Local].pipe.pending); pending < maxPending || pending > maxPending+1000 {
		t.Errorf("%d bytes pending", pending)
	}
	if got := recipients(b.commands(route.Remote)); got != "r0@x" {
		t.Errorf("the other channel: %q", got)
	}
}

// TestPressureEnds: where the pipe takes all commands at once after all, more are
// started without waiting for anything.
func TestPressureEnds(t *testing.T) {
	b := newBench(t, 10_000)
	b.put(1, "local", records(strings.Repeat("x", 500), 1000))
	c := b.channels[route.Local]
	c.queue.Push(schedule.Entry{Due: b.now, Number: 1})
	theirs, ours, err := child.PipeTo()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	defer ours.Close()
	if _, err := unix.FcntlInt(theirs.Fd(), unix.F_SETPIPE_SZ, 1<<20); err != nil {
		t.Skip(err)
	}
	c.pipe.file = ours
	turns := 0
	for b.more = true; b.more; turns++ {
		b.start()
		b.writeCommands(c)
	}
	if c.used != 1000 || turns < 5 {
		t.Errorf("%d deliveries in %d turns", c.used, turns)
	}
}

// TestDoneRecipients: a list whose recipients are almost all done is gone through in
// pieces, so that other work is not held up.
func TestDoneRecipients(t *testing.T) {
	b := newBench(t, 10)
	b.put(1, "local", strings.ReplaceAll(records("d", 3*maxReading), "T", "D")+"Tlast@x\x00")
	b.channels[route.Local].queue.Push(schedule.Entry{Due: b.now, Number: 1})
	turns := 0
	for b.more = true; b.more; turns++ {
		b.start()
	}
	if got := recipients(b.commands(route.Local)); turns != 4 || got != "last@x" {
		t.Errorf("%d turns: %q", turns, got)
	}
}

// TestBadFiles: what is found when a message's turn comes.
func TestBadFiles(t *testing.T) {
	const again = "; will try again later\n"
	for _, c := range []struct {
		name, info, list string
		commands, record string
		due              int64 // after all deliveries are deferred; 0: the list is gone
	}{
		{"good", "Fs@x\x00", "Ta@x\x00Db@x\x00Tc@x\x00", "a@x c@x", "", 400},
		{"all done", "Fs@x\x00", "Da@x\x00", "", "", 0},
		{"an empty list", "Fs@x\x00", "", "", "", 0},
		{"no info", "", "Ta@x\x00", "", "warning: trouble opening remote/20/457" + again, sysfail},
		{"an info that is none", "Gs@x\x00", "Ta@x\x00", "", "warning: trouble opening remote/20/457" + again, sysfail},
		{"an info that is cut off", "Fs@x", "Ta@x\x00", "", "warning: trouble opening remote/20/457" + again, sysfail},
		{"an unknown record", "Fs@x\x00", "Ta@x\x00Xb@x\x00Tc@x\x00", "a@x", "warning: unknown record type in remote/20/457!\n", 400},
		{"an empty record", "Fs@x\x00", "Ta@x\x00\x00Tc@x\x00", "a@x", "warning: unknown record type in remote/20/457!\n", 400},
		{"a list that is cut off", "Fs@x\x00", "Ta@x\x00Tb@", "a@x", "warning: trouble reading remote/20/457" + again, 400},
		{"a list that is cut off, all else done", "Fs@x\x00", "Da@x\x00Tb@", "", "warning: trouble reading remote/20/457" + again, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, 10)
			b.put(457, "remote", c.list)
			queuetest.Put(t, b.dir, "info/20/457", c.info)
			os.Chtimes(b.dir+"/info/20/457", noon, noon)
			b.channels[route.Remote].queue.Push(schedule.Entry{Due: b.now, Number: 457})
			b.fill(b.channels[route.Remote])
			var warnings string
			for line := range strings.Lines(b.record()) {
				if strings.HasPrefix(line, "warning") {
					warnings += line
				}
			}
			commands := b.commands(route.Remote)
			if got := recipients(commands); got != c.commands || warnings != c.record {
				t.Errorf("%q, %q", got, warnings)
			}
			for _, cmd := range commands {
				b.report(route.Remote, cmd.Delivery, "Zlater\n")
			}
			first, ok := b.channels[route.Remote].queue.Min()
			if ok != (c.due > 0) || ok && first.Due != b.now+c.due || len(b.ends.waiting) == 1 == ok {
				t.Errorf("due %+v %v, %d endings", first, ok, len(b.ends.waiting))
			}
		})
	}
}

// FuzzReports: whatever a spawner says, no delivery ends twice, and the slots are
// counted right.
func FuzzReports(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00Kok\n\x00\x00\x00\x00\x01Dno\n\x00\x00\x00\x00\x02Z\x00"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xffK\x00"))
	dir := queuetest.New(f, 23)
	f.Fuzz(func(t *testing.T, in []byte) {
		b := benchIn(t, dir, 3)
		b.put(457, "local", records("r", 5))
		c := b.channels[route.Local]
		c.queue.Push(schedule.Entry{Due: b.now, Number: 457})
		b.start()
		r := spawn.NewReports(bytes.NewReader(in), b.Width)
		for {
			report, err := r.Next()
			if err != nil {
				break
			}
			reported{c, []spawn.Report{report}}.apply(b.scheduler)
			b.start()
		}
		used := 0
		for _, d := range c.slots {
			if d.list != nil {
				used++
			}
		}
		if used != c.used || used+len(c.spare) != len(c.slots) || len(c.slots) > c.limit {
			t.Errorf("%d in use, counted %d, %d spare of %d", used, c.used, len(c.spare), len(c.slots))
		}
		if got := strings.Count(queuetest.Get(t, b.dir, "local/20/457"), "\x00"); got != 5 {
			t.Errorf("%d recipients", got)
		}
	})
}

// FuzzList: whatever a list and info hold, it is gone through to an end.
func FuzzList(f *testing.F) {
	f.Add([]byte("Ta@x\x00Db@x\x00"), []byte("Fs@x\x00"))
	f.Add([]byte("Ta"), []byte("Flist-@h-@[]\x00x"))
	dir := queuetest.New(f, 23)
	f.Fuzz(func(t *testing.T, recipients, info []byte) {
		b := benchIn(t, dir, 100_000)
		b.put(457, "local", string(recipients))
		queuetest.Put(t, b.dir, "info/20/457", string(info))
		c := b.channels[route.Local]
		c.queue.Push(schedule.Entry{Due: b.now, Number: 457})
		b.fill(c)
		commands := b.commands(route.Local)
		if len(commands) > bytes.Count(recipients, []byte("T")) {
			t.Errorf("%d deliveries", len(commands))
		}
		for _, cmd := range commands {
			b.report(route.Local, cmd.Delivery, "Zlater\n")
		}
		if c.queue.Len()+len(b.ends.waiting) != 1 || c.used != 0 {
			t.Errorf("%d waiting, %d ending, %d in use", c.queue.Len(), len(b.ends.waiting), c.used)
		}
	})
}

// BenchmarkDelivery is what a delivery costs the scheduler: to read a recipient,
// write the command and four lines, and take the report.
func BenchmarkDelivery(b *testing.B) {
	s := newBench(b, 10)
	s.put(457, "local", records("r", 100_000))
	c := s.channels[route.Local]
	b.ReportAllocs()
	for range b.N {
		if c.reading == nil {
			c.queue.Push(schedule.Entry{Number: 457})
		}
		s.fill(c)
		s.pop(c)
	}
}

func (b *bench) pop(c *channel) {
	reported{c, []spawn.Report{{Delivery: uint32(len(c.slots) - 1), Text: "Zdid 1+0+0\n"}}}.apply(b.scheduler)
	c.pipe.pending = c.pipe.pending[:0]
	b.lines.Clear()
}
