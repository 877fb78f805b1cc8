package send

import (
	"os"
	"slices"
	"strings"
	"testing"

	"goqmail/internal/dispatch/route"
	"goqmail/internal/dispatch/schedule"
	"goqmail/queue"
	"goqmail/queue/queuetest"
)

// settle lets everything happen that can happen without the spawners.
func (b *bench) settle() {
	for {
		b.start()
		if b.ends.none() {
			return
		}
		(<-b.events).apply(b.scheduler)
	}
}

// TestLastList: of two lists the one that is done last ends the message, in whatever
// order, and only that.
func TestLastList(t *testing.T) {
	for _, order := range [][]route.Channel{{route.Local, route.Remote}, {route.Remote, route.Local}} {
		for _, together := range []bool{false, true} {
			b := newBench(t, 10)
			b.put(457, "local", "Ta@x\x00")
			b.put(457, "remote", "Tb@x\x00")
			b.add(457, [route.Channels]bool{true, true}, [route.Channels]int64{b.now, b.now})
			b.start()
			b.report(order[0], 0, "Kok\n")
			if !together {
				b.settle()
				if strings.Contains(b.record(), "end msg") || !slices.Contains(queuetest.Files(t, b.dir), "info/20/457") {
					t.Errorf("%v: ended with its first list", order)
				}
			}
			b.report(order[1], 0, "Kok\n")
			b.settle()
			if got := b.record(); strings.Count(got, "end msg 457\n") != 1 {
				t.Errorf("%v, together %v: %s", order, together, got)
			}
			if left := queuetest.Files(t, b.dir); len(left) != 0 || len(b.both) != 0 || b.lists != 0 {
				t.Errorf("%v: left %v, %v, %d lists", order, left, b.both, b.lists)
			}
		}
	}
}

// TestEndTrouble: what cannot be done is told and tried again.
func TestEndTrouble(t *testing.T) {
	for _, c := range []struct {
		name          string
		cause, mend   func(*bench)
		record, again string
	}{
		{"the list cannot be removed",
			func(b *bench) { os.Rename(b.dir+"/local/20", b.dir+"/local/away") },
			func(b *bench) { os.Rename(b.dir+"/local/away", b.dir+"/local/20") },
			"warning: unable to unlink local/20/457; will try again later\n", "end msg 457\n"},
		{"info cannot be removed",
			func(b *bench) { os.Rename(b.dir+"/info/20/457", b.dir+"/kept"); os.Mkdir(b.dir+"/info/20/457", 0o755) },
			func(b *bench) { os.Remove(b.dir + "/info/20/457"); os.Rename(b.dir+"/kept", b.dir+"/info/20/457") },
			"end msg 457\nwarning: unable to unlink info/20/457; will try again later\n", "end msg 457\n"},
		{"bounce cannot be read",
			func(b *bench) { os.Symlink("457", b.dir+"/bounce/457") },
			func(b *bench) { os.Remove(b.dir + "/bounce/457") },
			"warning: unable to open bounce/457; will try again later\n", "end msg 457\n"},
		{"info cannot be read",
			func(b *bench) {
				queuetest.Put(b.t, b.dir, "bounce/457", "<a@x>:\n\n")
				queuetest.Put(b.t, b.dir, "info/20/457", "")
			},
			func(b *bench) { queuetest.Put(b.t, b.dir, "info/20/457", "F#@[]\x00") },
			"warning: trouble opening info/20/457; will try again later\n", "triple bounce: discarding bounce/457\nend msg 457\n"},
		{"mess cannot be removed",
			func(b *bench) { os.Mkdir(b.dir+"/intd/457", 0o755) },
			func(b *bench) { os.Remove(b.dir + "/intd/457"); os.Remove(b.dir + "/mess/20/457") },
			"end msg 457\nwarning: qmail-clean unable to clean up foop/457\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, 10)
			b.put(457, "local", "Ta@x\x00")
			b.add(457, [route.Channels]bool{true, false}, [route.Channels]int64{b.now})
			b.start()
			b.report(route.Local, 0, "Kok\n")
			b.record()
			c.cause(b)
			b.settle()
			if got := b.record(); got != c.record {
				t.Errorf("%q, want %q", got, c.record)
			}
			c.mend(b)
			b.settle()
			if got := b.record(); got != "" {
				t.Errorf("at once: %q", got)
			}
			b.now += sysfail
			b.settle()
			if got := b.record(); got != c.again {
				t.Errorf("later: %q, want %q", got, c.again)
			}
			if left := queuetest.Files(t, b.dir); len(left) != 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}

// TestReplaced: where somebody removed a message by hand that was to be ended, and
// another has got its number, that one is left alone.
func TestReplaced(t *testing.T) {
	for _, name := range []string{"local/20/457", "remote/20/457", "todo/457"} {
		b := newBench(t, 10)
		b.put(457, "local", "")
		os.Remove(b.dir + "/local/20/457")
		queuetest.Put(t, b.dir, name, "Ta@x\x00")
		b.finished.Push(schedule.Entry{Due: b.now, Number: 457})
		before := queuetest.Files(t, b.dir)
		b.settle()
		if got := queuetest.Files(t, b.dir); !slices.Equal(got, before) || b.record() != "" {
			t.Errorf("with %s: left %v", name, got)
		}
	}
}

// TestManyEnds: thousands that end at once do so a few at a time.
func TestManyEnds(t *testing.T) {
	b := newBench(t, 10)
	const messages = 300
	for n := queue.Number(1); n <= messages; n++ {
		b.put(int(n), "local", "")
		os.Remove(b.q.Path(queue.Local, n))
		b.finished.Push(schedule.Entry{Due: b.now, Number: n})
	}
	for n := 0; b.finished.Len() > 0 || !b.ends.none(); n++ {
		b.start()
		if b.ends.running > maxEnds || len(b.ends.waiting) > 0 {
			t.Fatalf("%d at once, %d waiting", b.ends.running, len(b.ends.waiting))
		}
		if !b.ends.none() {
			(<-b.events).apply(b.scheduler)
		}
	}
	if got := strings.Count(b.record(), "end msg"); got != messages || len(queuetest.Files(t, b.dir)) != 0 {
		t.Errorf("%d ended", got)
	}
}
