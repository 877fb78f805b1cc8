package send

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"goqmail/internal/dispatch/route"
	"goqmail/internal/dispatch/schedule"
	"goqmail/internal/mail/fold"
	"goqmail/internal/wire/queuectl"
	"goqmail/internal/wire/submit"
	"goqmail/queue"
	"goqmail/queue/queuetest"
)

// give gives an order about a message.
func (b *bench) give(verb queuectl.Verb, n queue.Number) *order {
	return b.order([]queue.Number{n}, func() *order { return &order{verb: verb, done: make(chan queuectl.Result, 1)} })[0]
}

// code is what became of an order, or 0.
func (o *order) code() queuectl.Code {
	select {
	case r := <-o.done:
		return r.Code
	default:
		return 0
	}
}

// mode is the permissions of a file.
func (b *bench) mode(name string) os.FileMode {
	st, err := os.Stat(b.dir + "/" + name)
	if err != nil {
		b.t.Fatal(err)
	}
	return st.Mode().Perm()
}

// codes are those of changes.
func codes(changes []change) string {
	syncLists(changes)
	var all []byte
	for _, c := range changes {
		all = append(all, byte(c.Code))
	}
	return string(all)
}

// TestHold: a message that is held is not delivered, in whatever state it was, and is
// delivered when it is released.
func TestHold(t *testing.T) {
	b := newBench(t, 1)
	b.put(457, "local", "Ta@x\x00Tb@x\x00")
	b.put(457, "remote", "Tc@x\x00")
	b.add(457, [route.Channels]bool{true, true}, [route.Channels]int64{b.now, b.now + 500})
	b.start() // a is being delivered, b is next, c waits
	if got := codes(b.hold([]queue.Number{457, 458, 457})); got != "+-+" {
		t.Errorf("hold: %s", got)
	}
	if b.mode("local/20/457") != 0o700 || b.mode("remote/20/457") != 0o700 {
		t.Error("not marked")
	}
	b.report(route.Local, 0, "Kok\n")
	b.signal(RunAll)
	b.now += 1000
	b.settle()
	if got := recipients(b.commands(route.Local)) + recipients(b.commands(route.Remote)); got != "a@x" {
		t.Errorf("deliveries to %s", got)
	}
	if r := b.retry([]queue.Number{457}); r[0].Code != queuectl.Failed {
		t.Errorf("%+v", r)
	}
	// The next qmail-send holds it too.
	b2 := benchIn(t, b.dir, 1)
	b2.load()
	b2.applyAll()
	b2.signal(RunAll)
	b2.start()
	if got := recipients(b2.commands(route.Local)); got != "" || len(b2.admin.held) != 1 {
		t.Errorf("after a restart: %s, %v", got, b2.admin.held)
	}
	if got := codes(b.unhold([]queue.Number{457, 458})) + codes(b.unhold([]queue.Number{457})); got != "+-!" {
		t.Errorf("release: %s", got)
	}
	b.start()
	if got := recipients(b.commands(route.Local)) + " " + recipients(b.commands(route.Remote)); got != "b@x c@x" || b.mode("local/20/457") != 0o600 {
		t.Errorf("released: %s", got)
	}
}

// TestHoldEnds: a message that is held with its last delivery under way ends, and a later
// one of the same number is not held.
func TestHoldEnds(t *testing.T) {
	b := newBench(t, 2)
	lists := [route.Channels]bool{true, false}
	b.put(457, "local", "Ta@x\x00")
	b.add(457, lists, [route.Channels]int64{b.now, 0})
	b.start()
	if got := codes(b.hold([]queue.Number{457})); got != "+" {
		t.Errorf("hold: %s", got)
	}
	b.report(route.Local, 0, "Kok\n")
	b.settle()
	if got := b.record(); !strings.Contains(got, "end msg 457\n") || len(b.admin.held) != 0 {
		t.Errorf("held: %v\n%s", b.admin.held, got)
	}
}

// TestOrders: an order waits for the deliveries of both channels, and what is left of a
// message then is what it says.
func TestOrders(t *testing.T) {
	for _, verb := range []queuectl.Verb{queuectl.Delete, queuectl.Bounce, queuectl.Requeue} {
		t.Run(string(verb), func(t *testing.T) {
			b := newBench(t, 1)
			b.Bounces = submit.Queue{Home: b.dir, Program: "/proc/self/exe", Env: []string{"QUEUE=" + b.dir}}
			b.put(457, "local", "Ta@here.example\x00Tv-b@virtual.example\x00")
			b.put(457, "remote", "Tc@x\x00Td@x\x00")
			routes := *b.routes.Load()
			routes.Virtual = fold.NewMap([]string{"virtual.example:v"})
			b.routes.Store(&routes)
			b.add(457, [route.Channels]bool{true, true}, [route.Channels]int64{b.now, b.now})
			b.start()
			o := b.give(verb, 457)
			if got := b.give(queuectl.Delete, 457).code(); got != queuectl.Busy {
				t.Errorf("a second order: %c", got)
			}
			b.report(route.Local, 0, "Kok\n")
			b.settle()
			if b.both[457] != struct{}{} || o.code() != 0 {
				t.Error("carried out while a delivery runs")
			}
			b.report(route.Remote, 0, "Zlater\n")
			b.settle()
			if got := o.code(); got != queuectl.Done {
				t.Errorf("%c", got)
			}
			if got := recipients(b.commands(route.Local)) + " " + recipients(b.commands(route.Remote)); got != "a@here.example c@x" {
				t.Errorf("deliveries to %s", got)
			}
			var left []string
			for _, name := range queuetest.Files(t, b.dir) {
				if strings.HasPrefix(name, "todo/") {
					left = append(left, queuetest.Get(t, b.dir, name))
				} else if !strings.HasPrefix(name, "intd/") && !strings.HasPrefix(name, "mess/") || strings.HasSuffix(name, "/457") {
					t.Errorf("left %s", name)
				}
			}
			want := map[queuectl.Verb]string{
				queuectl.Bounce:  "u7\x00p8\x00F\x00Ts@x\x00",
				queuectl.Requeue: "u7\x00p8\x00Fs@x\x00Tb@virtual.example\x00Tc@x\x00Td@x\x00",
			}[verb]
			if got := strings.Join(left, ""); got != want {
				t.Errorf("queued %q, want %q", got, want)
			}
			if len(b.admin.orders) != 0 || len(b.both) != 0 || b.lists != 0 {
				t.Errorf("%v, %v, %d lists", b.admin.orders, b.both, b.lists)
			}
			if got := b.give(verb, 457).code(); got != queuectl.Unknown {
				t.Errorf("afterwards: %c", got)
			}
		})
	}
}

// TestNamedTwice: a message that is named twice in one request ends once.
func TestNamedTwice(t *testing.T) {
	for name, ask := range map[string]func(*bench){
		"hold":   func(b *bench) { b.hold([]queue.Number{457, 457}) },
		"unhold": func(b *bench) { b.unhold([]queue.Number{457, 457}) },
		"retry":  func(b *bench) { b.retry([]queue.Number{457, 457}) },
		"delete": func(b *bench) {
			b.order([]queue.Number{457, 457}, func() *order {
				return &order{verb: queuectl.Delete, done: make(chan queuectl.Result, 1)}
			})
		},
	} {
		b := newBench(t, 1)
		queuetest.Put(t, b.dir, "info/20/457", "Fs@x\x00")
		b.finished.Push(schedule.Entry{Due: b.now, Number: 457})
		ask(b)
		b.settle()
		if got := strings.Count(b.record(), "end msg 457\n"); got != 1 {
			t.Errorf("%s: ended %d times", name, got)
		}
	}
}

// TestOrderFails: where an order cannot be carried out, nothing of the message is lost, and
// it goes on as before.
func TestOrderFails(t *testing.T) {
	for _, c := range []struct {
		name string
		verb queuectl.Verb
		harm func(b *bench)
		mend func(b *bench)
	}{
		{"notes cannot be written", queuectl.Bounce, func(b *bench) { os.Mkdir(b.dir+"/bounce/457", 0o755) }, func(b *bench) { os.Remove(b.dir + "/bounce/457") }},
		{"notes cannot be removed", queuectl.Delete, func(b *bench) { os.MkdirAll(b.dir+"/bounce/457/x", 0o755) }, func(b *bench) { os.RemoveAll(b.dir + "/bounce/457") }},
		{"no qmail-queue", queuectl.Requeue, func(b *bench) { b.Bounces.Program = "/no/such/program" }, func(b *bench) {}},
		{"no text", queuectl.Requeue, func(b *bench) { os.Remove(b.dir + "/mess/20/457") }, func(b *bench) { queuetest.Put(b.t, b.dir, "mess/20/457", "body\n") }},
		{"a list that is cut off", queuectl.Bounce, func(b *bench) { queuetest.Put(b.t, b.dir, "local/20/457", "Ta@x\x00Tb") }, func(b *bench) {
			queuetest.Put(b.t, b.dir, "local/20/457", "Ta@x\x00")
			os.Chtimes(b.dir+"/local/20/457", noon, noon)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, 1)
			b.put(457, "local", "Ta@x\x00")
			b.add(457, [route.Channels]bool{true, false}, [route.Channels]int64{b.now + 10, 0})
			c.harm(b)
			os.Chtimes(b.dir+"/local/20/457", noon, noon)
			o := b.give(c.verb, 457)
			b.settle()
			if got := o.code(); got != queuectl.Failed {
				t.Errorf("%c", got)
			}
			c.mend(b)
			if slices.Contains(queuetest.Files(t, b.dir), "bounce/457") {
				t.Errorf("left %v", queuetest.Files(t, b.dir))
			}
			b.now += sysfail
			b.start()
			if got := recipients(b.commands(route.Local)); got != "a@x" {
				t.Errorf("delivered to %q", got)
			}
		})
	}
}

// TestMarked: what was ordered while qmail-send did not run is carried out at its start,
// and where that fails, later.
func TestMarked(t *testing.T) {
	b := newBench(t, 1)
	b.Bounces = submit.Queue{Home: b.dir, Program: "/no/such/program"}
	for n, mode := range map[int]os.FileMode{1: 0o610, 2: 0o601, 3: 0o711, 4: 0o600} {
		b.put(n, "local", fmt.Sprintf("Tr%d@x\x00", n))
		if err := os.Chmod(fmt.Sprintf("%s/local/%d/%d", b.dir, n, n), mode); err != nil {
			t.Fatal(err)
		}
	}
	os.Chtimes(b.dir+"/local/3/3", noon, noon.Add(-100))
	b.load()
	b.applyAll()
	b.settle()
	if got := recipients(b.commands(route.Local)); got != "r3@x" && got != "r4@x" {
		t.Errorf("delivered to %s", got)
	}
	b.Bounces = submit.Queue{Home: b.dir, Program: "/proc/self/exe", Env: []string{"QUEUE=" + b.dir}}
	b.now += sysfail
	b.settle()
	if got := b.record(); !strings.Contains(got, "bounce msg 1 qp") || !strings.Contains(got, "queuectl: requeued msg 2 qp") || !strings.Contains(got, "end msg 2\n") {
		t.Error(got)
	}
}

// TestPaused: recipients at a paused domain stay, and the others do not wait for them.
func TestPaused(t *testing.T) {
	b := newBench(t, 5)
	b.admin.paused = hosts{fold.NewSet([]string{"slow.example", "no-host"})}
	b.put(457, "remote", "Ta@x\x00Tb@SLOW.example\x00Tc@x@slow.example\x00Td@x.slow.example\x00Tno-host\x00")
	b.channels[route.Remote].queue.Push(schedule.Entry{Due: b.now, Number: 457})
	b.start()
	if got := recipients(b.commands(route.Remote)); got != "a@x d@x.slow.example" {
		t.Errorf("%s", got)
	}
	b.report(route.Remote, 0, "Kok\n")
	b.report(route.Remote, 1, "Kok\n")
	b.settle()
	b.admin.paused = hosts{}
	if r := b.retry([]queue.Number{457, 457, 1}); r[0].Code != queuectl.Done || r[2].Code != queuectl.Unknown {
		t.Errorf("%+v", r)
	}
	b.start()
	if got := recipients(b.commands(route.Remote)); got != "b@SLOW.example c@x@slow.example no-host" {
		t.Errorf("%s", got)
	}
}

// TestReplies: the last ones are remembered, and no more than there is room for.
func TestReplies(t *testing.T) {
	var r replies
	for i := range 3 * maxReplies {
		r.add(route.Remote, queue.Number(i), "a@x", reply{int64(i), strings.Repeat("x", 10_000)})
		r.add(route.Remote, queue.Number(i), "a@x", reply{int64(i), "no"})
		r.add(route.Remote, 1<<40, "always@x", reply{int64(i), "no"})
	}
	if len(r.last) != maxReplies || len(r.ring) != maxReplies {
		t.Errorf("%d, %d", len(r.last), len(r.ring))
	}
	if got := r.last[recipient{route.Remote, 3*maxReplies - 1, "a@x"}]; got.text != "no" {
		t.Errorf("%+v", got)
	}
}

// TestAnyOrder: whatever is asked for at whatever moment, every message is delivered,
// or removed because that was ordered, and nothing is left behind.
func TestAnyOrder(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		b := newBench(t, 2)
		const messages = 6
		ordered := map[queue.Number]bool{}
		for n := queue.Number(1); n <= messages; n++ {
			var lists [route.Channels]bool
			for c := range route.Channel(route.Channels) {
				if lists[c] = c == route.Local || r.IntN(2) == 0; lists[c] {
					b.put(int(n), c.String(), records("r", 1+r.IntN(3)))
				}
			}
			queuetest.Put(t, b.dir, "info/"+b.q.ID(n), "F#@[]\x00")
			b.add(n, lists, [route.Channels]int64{b.now + r.Int64N(50), b.now})
		}
		running := map[[2]uint32]bool{}
		delivered := map[string]int{}
		step := func(success bool) {
			b.start()
			for c := range route.Channel(route.Channels) {
				for _, cmd := range b.commands(c) {
					running[[2]uint32{uint32(c), cmd.Delivery}] = true
				}
			}
			for d := range running {
				if success || r.IntN(2) == 0 {
					delete(running, d)
					delivered[b.channels[d[0]].slots[d[1]].recipient]++
					b.report(route.Channel(d[0]), d[1], []string{"Kok\n", "Zlater\n"}[map[bool]int{true: 0, false: r.IntN(2)}[success]])
				}
			}
			for range len(b.events) {
				(<-b.events).apply(b.scheduler)
			}
		}
		for range 60 {
			n := []queue.Number{queue.Number(1 + r.IntN(messages)), queue.Number(1 + r.IntN(messages))}
			switch r.IntN(8) {
			case 0, 1:
				syncLists(b.hold(n))
			case 2:
				syncLists(b.unhold(n))
			case 3:
				b.retry(n)
			case 4:
				verb := []queuectl.Verb{queuectl.Delete, queuectl.Bounce}[r.IntN(2)]
				if got := b.give(verb, n[0]).code(); got == 0 {
					ordered[n[0]] = true
				}
			case 5:
				b.now += r.Int64N(300)
			}
			step(false)
		}
		for n := queue.Number(1); n <= messages; n++ {
			syncLists(b.unhold([]queue.Number{n}))
		}
		for range 100 {
			b.now += 100_000
			step(true)
			b.settle()
		}
		left := queuetest.Files(t, b.dir)
		if len(left) != 0 || len(b.admin.held) != 0 || len(b.admin.orders) != 0 || len(b.both) != 0 || b.lists != 0 || len(b.channels[0].lists)+len(b.channels[1].lists) != 0 {
			t.Fatalf("seed %d: left %v, held %v, orders %v, both %v, %d lists\n%s", seed, left, b.admin.held, b.admin.orders, b.both, b.lists, b.record())
		}
		record := b.record()
		for n := 1; n <= messages; n++ {
			if got := strings.Count(record, fmt.Sprintf("end msg %d\n", n)); got != 1 {
				t.Fatalf("seed %d: message %d ended %d times\n%s", seed, n, got, record)
			}
		}
		if strings.Contains(record, "warning") {
			t.Fatalf("seed %d:\n%s", seed, record)
		}
	}
}
