// Package soak has a whole installation under mixed load while everything goes wrong that
// does on a real machine, and in the end holds what was accepted against what has arrived.
//
//	load_test.go       the mail: by SMTP, on connections that are reused and on single
//	                   ones, and by qmail-inject; to a maildir that is read by POP3, a
//	                   mailbox, a program, a forward, a list and another host; some of it
//	                   bounces
//	far_test.go        the other host: it takes mail, defers, refuses and hangs up
//	ledger_test.go     what was accepted, where it is to arrive, and what has; each message
//	                   is known by its Message-ID. The deliveries that were begun explain
//	                   duplicates
//	record_test.go     what the programs say, above all which deliveries are begun
//	processes_test.go  the daemons, which are started again when they end, and the killing
//	troubles_test.go   full disks, lost packets, signals
//	samples_test.go    descriptors, memory and threads over time, and report_test.go the
//	                   picture of them
//	memory_test.go     control groups that have too little memory
//
// TestKills kills processes without a pause and does nothing else, TestOutOfMemory has the
// kernel do that; TestSoak is slower, and does all. Daemons are killed and restarted in the first half of the time only, so that
// those of the second half live long enough to show that they do not grow, and that none
// of the descriptors stays.
//
// They take some seconds, or as long as is said; see "make kills" and "make soak":
//
//	GOQMAIL_SOAK=1h GOQMAIL_REPORT=DIR go test -v -timeout 2h -run Soak ./internal/integration/soak
package soak

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/integration/site"
)

func TestMain(m *testing.M) { site.Main(m) }

// A plan is what is done to the system, and for how long.
type plan struct {
	duration time.Duration
	pause    time.Duration // of each client between messages
	kills    time.Duration // between two, in the middle
	daemons  time.Duration // between two kills of daemons
	troubles bool          // whether there are others than kills
	kill     func(pid int) bool
	lucky    bool // whether a program may have escaped
}

func TestKills(t *testing.T) {
	d := duration(t, "GOQMAIL_KILLS", 15*time.Second)
	soak(t, plan{duration: d, kills: 50 * time.Millisecond, daemons: min(3*time.Second, d/12), kill: sigkill})
}

// TestOutOfMemory kills by a limit on memory, which takes effect in the middle of what
// needs it, and may let a system call fail before it does. Who needs nothing more at the
// moment is not killed, and may have that luck for some seconds.
func TestOutOfMemory(t *testing.T) {
	site.Skip(t)
	d := duration(t, "GOQMAIL_OOM", 20*time.Second)
	g := newGroup(t)
	kill := func(pid int) bool { return g.kill(pid, 4096<<rand.IntN(4)) }
	soak(t, plan{duration: d, kills: 50 * time.Millisecond, daemons: min(3*time.Second, d/12), kill: kill, lucky: d < time.Minute})
}

func TestSoak(t *testing.T) {
	d := duration(t, "GOQMAIL_SOAK", 30*time.Second)
	soak(t, plan{duration: d, pause: 150 * time.Millisecond, kills: 200 * time.Millisecond, daemons: min(20*time.Second, d/12), troubles: true, kill: sigkill})
}

func duration(t *testing.T, variable string, usual time.Duration) time.Duration {
	text := os.Getenv(variable)
	if text == "" {
		return usual
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func soak(t *testing.T, p plan) {
	s := site.New(t)
	w := newWorld(t, s, p)
	s.Eventually("a server", func() bool { return w.load.send(w.load.local) })
	eventually(t, "the first message", w.drained)
	before := quiet(t, w)

	begun := time.Now()
	stop := make(chan struct{})
	var all sync.WaitGroup
	for _, client := range w.load.clients(stop) {
		all.Go(client)
	}
	all.Go(func() { w.signals(stop) })
	killed := map[string]int{}
	all.Go(func() { w.killing(stop, killed) })
	if p.troubles {
		for _, t := range w.troubles() {
			all.Go(func() { t.comeAndGo(stop, w.events) })
		}
	}
	samples := newSamples()
	all.Go(func() { samples.take(stop, max(time.Second, p.duration/300)) })
	time.Sleep(p.duration)
	close(stop)
	all.Wait()

	ended := time.Now()
	w.forgetTimeouts()
	eventually(t, "all messages but bounces", w.settled)
	if after := quiet(t, w); !maps.Equal(after, before) {
		t.Errorf("descriptors before: %v, after: %v", before, after)
	}
	w.mail.signal(syscall.SIGTERM) // a bounce that could not be written or queued would wait for two minutes
	eventually(t, "all messages", w.drained)
	t.Logf("the queue was empty %v after the end of the load", time.Since(ended).Round(time.Second))
	w.ledger.report(t)
	t.Logf("killed %v in %v; qmail-start was started %d times, qmail-smtpd %d times", killed, p.duration, w.mail.started(), w.server.started())
	for _, program := range slices.Concat(daemons, children) {
		if killed[program] == 0 && !p.lucky {
			t.Errorf("%s was never killed", program)
		}
	}
	if p.troubles {
		w.mustHaveHurt(t)
	}
	samples.flat(t, begun.Add(p.duration/2))
	if dir := os.Getenv("GOQMAIL_REPORT"); dir != "" {
		draw(t, dir, begun, p.duration, samples, w.events)
	}
	w.mail.stop()
	w.server.stop()
	eventually(t, "the end of all processes", func() bool { return len(processes()) == 0 })
	w.record.report(t)
}

func open(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return false
	default:
		return true
	}
}

// rest waits, unless it is over; it tells whether it is not.
func rest(stop <-chan struct{}, d time.Duration) bool {
	select {
	case <-stop:
		return false
	case <-time.After(d):
		return true
	}
}

// quiet has the daemons without clients and children, and counts descriptors once these
// stay the same.
func quiet(t *testing.T, w *world) map[string]int {
	t.Helper()
	w.load.hangUp()
	killChildren()
	var before, now map[string]int
	eventually(t, "the end of children that are kept", func() bool {
		running := processes()
		before, now = now, descriptors()
		return maps.Equal(before, now) && !slices.ContainsFunc(children, func(p string) bool { return len(running[p]) > 0 })
	})
	return now
}

// waiting lists what is in the queue and not done: not what a killed qmail-queue has
// left, which is removed when it is 36 hours old.
func waiting(s *site.Site) []string {
	return slices.DeleteFunc(s.QueueFiles(), func(f string) bool {
		return strings.HasPrefix(f, "mess/") || strings.HasPrefix(f, "pid/") || strings.HasPrefix(f, "intd/")
	})
}

// eventually waits for longer than a Site does: children are let go after half a minute,
// and given another chance after as long as five.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Minute); !holds(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s; running: %v", what, fmt.Sprint(processes()))
		}
	}
}
