package send

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"goqmail/internal/dispatch/route"
	"goqmail/internal/dispatch/schedule"
	"goqmail/queue"
	"goqmail/queue/queuetest"
)

// fail lets all recipients of message 457 fail, and returns the notes to be written.
func (b *bench) fail(report string) []note {
	b.t.Helper()
	b.channels[route.Remote].queue.Push(schedule.Entry{Due: b.now, Number: 457})
	b.start()
	for _, cmd := range b.commands(route.Remote) {
		b.report(route.Remote, cmd.Delivery, report)
	}
	var notes []note
	for range len(b.scheduler.notes) {
		notes = append(notes, <-b.scheduler.notes)
	}
	return notes
}

// applyAll applies the events that there are.
func (b *bench) applyAll() {
	for range len(b.events) {
		(<-b.events).apply(b.scheduler)
	}
}

// TestNotes: a note is in bounce/N before the recipient counts as done, and before
// that the list stays.
func TestNotes(t *testing.T) {
	b := newBench(t, 10)
	b.put(457, "remote", "Ta@x\x00Tb@x\x00")
	notes := b.fail("Dno such user\n")
	if got := queuetest.Get(t, b.dir, "remote/20/457"); got != "Ta@x\x00Tb@x\x00" || b.noting != 2 || b.channels[route.Remote].used != 0 {
		t.Errorf("%q, %d notes", got, b.noting)
	}
	if failed := b.append(notes); failed != nil {
		t.Error(failed)
	}
	if got := queuetest.Get(t, b.dir, "remote/20/457"); got != "Da@x\x00Db@x\x00" {
		t.Errorf("%q", got)
	}
	if got := queuetest.Get(t, b.dir, "bounce/457"); got != "<a@x>:\nno such user\n\n<b@x>:\nno such user\n\n" {
		t.Errorf("%q", got)
	}
	if len(b.ends.waiting) != 0 {
		t.Error("the list ends before the scheduler knows of the notes")
	}
	b.applyAll()
	if b.noting != 0 || len(b.ends.waiting) != 1 {
		t.Errorf("%d notes, %d endings", b.noting, len(b.ends.waiting))
	}
}

// TestNotesTrouble: where a note cannot be written, its recipient is not done, and
// other messages' notes are written.
func TestNotesTrouble(t *testing.T) {
	b := newBench(t, 10)
	b.put(457, "remote", "Ta@x\x00")
	b.put(458, "remote", "Tb@x\x00")
	b.channels[route.Remote].queue.Push(schedule.Entry{Due: b.now, Number: 458})
	notes := b.fail("Dno\n")
	os.Mkdir(b.dir+"/bounce/457", 0o755)
	failed := b.append(notes)
	if len(failed) != 1 || len(failed[0]) != 1 || failed[0][0].list.number != 457 {
		t.Fatalf("%v", failed)
	}
	if a, c := queuetest.Get(t, b.dir, "remote/20/457"), queuetest.Get(t, b.dir, "remote/21/458"); a != "Ta@x\x00" || c != "Db@x\x00" {
		t.Errorf("%q %q", a, c)
	}
	b.applyAll()
	if b.noting != 1 {
		t.Errorf("%d notes", b.noting)
	}
	os.Remove(b.dir + "/bounce/457")
	if b.append(failed[0]) != nil || queuetest.Get(t, b.dir, "remote/20/457") != "Da@x\x00" {
		t.Error("not written when it could be")
	}
}

// TestNotesTakenBack: of notes that could not be synced nothing is left, not even the name
// of their file, which might be on disk or not.
func TestNotesTakenBack(t *testing.T) {
	for before, want := range map[string]string{"": "", "<b@x>:\nno\n\n": "bounce/457"} {
		b := newBench(t, 10)
		b.put(457, "remote", "Ta@x\x00")
		queuetest.Put(t, b.dir, "bounce/457", before)
		file, err := b.appendTo(457, b.fail("Dno\n"))
		if err != nil {
			t.Fatal(err)
		}
		file.takeBack()
		file.file.Close()
		left := slices.DeleteFunc(queuetest.Files(t, b.dir), func(f string) bool { return !strings.HasPrefix(f, "bounce/") })
		if strings.Join(left, " ") != want {
			t.Errorf("%q: left %v", before, left)
		}
		if want != "" && queuetest.Get(t, b.dir, want) != before {
			t.Errorf("%q became %q", before, queuetest.Get(t, b.dir, want))
		}
	}
}

// TestNotesGivenUp: at the end a note that cannot be written does not hold anybody
// up; its recipient is not done.
func TestNotesGivenUp(t *testing.T) {
	b := newBench(t, 10)
	b.put(457, "remote", "Ta@x\x00")
	notes := b.fail("Dno\n")
	os.Mkdir(b.dir+"/bounce/457", 0o755)
	close(b.stop)
	b.insist(notes)
	b.record()
	b.applyAll()
	if got := b.record(); got != "alert: unable to append to bounce message; HELP! sleeping...\n" {
		t.Errorf("%q", got)
	}
	first, waits := b.channels[route.Remote].queue.Min()
	if b.noting != 0 || !waits || first.Number != 457 || queuetest.Get(t, b.dir, "remote/20/457") != "Ta@x\x00" {
		t.Errorf("%d notes, %v", b.noting, first)
	}
}

// TestNotesUnsynced: what a power cut has left of notes does not get into the bounce,
// and makes none by itself.
func TestNotesUnsynced(t *testing.T) {
	const nuls = "\x00\x00\x00\x00\x00"
	for before, want := range map[string]string{
		"":                          "<a@x>:\nno\n\n",
		nuls:                        "<a@x>:\nno\n\n",
		"<b@x>:\nno\n\n":            "<b@x>:\nno\n\n<a@x>:\nno\n\n",
		"<b@x>:\nno\n\n" + nuls:     "<b@x>:\nno\n\n<a@x>:\nno\n\n",
		nuls + "c@x>:\nno\n" + nuls: "<a@x>:\nno\n\n",
	} {
		b := newBench(t, 10)
		b.put(457, "remote", "Ta@x\x00")
		queuetest.Put(t, b.dir, "bounce/457", before)
		notes := b.fail("Dno\n")
		if failed := b.append(notes); failed != nil {
			t.Errorf("%q: %v", before, failed)
		}
		if got := queuetest.Get(t, b.dir, "bounce/457"); got != want {
			t.Errorf("%q became %q, want %q", before, got, want)
		}
	}
	for _, before := range []string{"", nuls} {
		b := newBench(t, 10)
		b.put(457, "remote", "Ta@x\x00")
		queuetest.Put(t, b.dir, "bounce/457", before)
		b.add(457, [route.Channels]bool{route.Remote: true}, [route.Channels]int64{b.now, b.now})
		b.start()
		b.report(route.Remote, 0, "Kok\n")
		b.settle()
		if got := b.record(); strings.Contains(got, "bounce msg") || !strings.Contains(got, "end msg 457\n") {
			t.Errorf("%q: %s", before, got)
		}
		if left := queuetest.Files(t, b.dir); len(left) != 0 {
			t.Errorf("%q: left %v", before, left)
		}
	}
}

// TestNotesTorn: a note that cannot be written to its end is not written.
func TestNotesTorn(t *testing.T) {
	b := newBench(t, 10)
	if err := os.Symlink("/dev/full", b.dir+"/bounce/457"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.appendTo(457, []note{{text: []byte("x")}}); err == nil {
		t.Error("written")
	}
}

// TestNotesHoldDeliveries: while many notes wait, no deliveries are started.
func TestNotesHoldDeliveries(t *testing.T) {
	b := newBench(t, 10)
	b.put(457, "remote", records("r", maxNotes+500))
	b.channels[route.Remote].queue.Push(schedule.Entry{Due: b.now, Number: 457})
	for {
		b.start()
		commands := b.commands(route.Remote)
		if len(commands) == 0 {
			break
		}
		for _, cmd := range commands {
			b.report(route.Remote, cmd.Delivery, "Dno\n")
		}
	}
	if b.noting < maxNotes || b.noting > maxNotes+10 {
		t.Errorf("%d notes", b.noting)
	}
	if wait := b.untilDue(); wait <= 0 {
		t.Errorf("waits for %v", wait)
	}
}

// TestTooOld: a deferral of a message that has been there too long is a failure.
func TestTooOld(t *testing.T) {
	for _, c := range []struct {
		age  int64
		want string
	}{
		{defaultLifetime, "delivery 1: deferral: later/\n"},
		{defaultLifetime + 1, "delivery 1: failure: later/I'm_not_going_to_try_again;_this_message_has_been_in_the_queue_too_long./\n"},
	} {
		b := newBench(t, 10)
		b.put(457, "remote", "Ta@x\x00")
		b.now += c.age
		b.fail("Zlater\n")
		if got := b.record(); !strings.Contains(got, c.want) {
			t.Errorf("age %d: %s", c.age, got)
		}
	}
}

// TestRunAll: ALRM makes everything due that waits, and what waits for nothing but
// its notes; not what a delivery runs for.
func TestRunAll(t *testing.T) {
	b := newBench(t, 10)
	b.put(457, "remote", "Ta@x\x00Tb@x\x00")
	b.put(458, "remote", "Tc@x\x00Td@x\x00")
	c := b.channels[route.Remote]
	for n := range 2 {
		c.queue.Push(schedule.Entry{Due: b.now - 1 + int64(n), Number: queue.Number(457 + n)})
	}
	c.queue.Push(schedule.Entry{Due: b.now + 1000, Number: 459})
	b.start()
	b.report(route.Remote, 0, "Dno\n")
	b.report(route.Remote, 1, "Zlater\n")
	b.report(route.Remote, 2, "Dno\n")
	b.signal(RunAll)
	b.report(route.Remote, 3, "Zlater\n") // one delivery of 458 did run
	b.append([]note{<-b.notes, <-b.notes})
	b.applyAll()
	if got := waiting(&c.queue, b.now); fmt.Sprint(got) != "[457 0 458 400 459 0]" {
		t.Errorf("%v", got)
	}
}
