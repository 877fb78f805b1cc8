package queue_test

import (
	"errors"
	"io/fs"
	"os"
	"reflect"
	"testing"
	"time"

	"goqmail/queue"
	"goqmail/queue/queuetest"
)

func TestMessage(t *testing.T) {
	dir := queuetest.New(t, 23)
	q, err := queue.Open(dir)
	must(t, err)
	queuetest.Put(t, dir, "mess/20/457", "12345")
	at := func(name string, sec int64) {
		must(t, os.Chtimes(dir+"/"+name, time.Unix(sec, 0), time.Unix(sec, 0)))
	}
	if _, err := q.Message(457); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a message that is not queued: %v", err)
	}
	queuetest.Put(t, dir, "todo/457", "u1\x00p2\x00Fs@x\x00Ta@y\x00Tb")
	at("todo/457", 1000)
	got, err := q.Message(457)
	want := queue.Message{Number: 457, Sender: "s@x", Born: time.Unix(1000, 0), Size: 5, Queued: true,
		Recipients: []queue.Recipient{{Kind: queue.Todo, Address: "a@y"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("queued: %+v, %v", got, err)
	}
	must(t, os.Remove(dir+"/todo/457"))
	queuetest.Put(t, dir, "info/20/457", "Fs@x\x00")
	queuetest.Put(t, dir, "local/20/457", "Ta@y\x00Db@y\x00")
	queuetest.Put(t, dir, "remote/20/457", "Tc@z\x00")
	queuetest.Put(t, dir, "bounce/457", "note")
	at("info/20/457", 1000)
	at("local/20/457", 3000)
	at("remote/20/457", 2000)
	lists, err := q.SetMark(457, queue.Held)
	if err != nil || len(lists) != 2 {
		t.Fatalf("%v, %v", lists, err)
	}
	for _, f := range lists {
		f.Close()
	}
	got, err = q.Message(457)
	want = queue.Message{Number: 457, Sender: "s@x", Born: time.Unix(1000, 0), Size: 5, Noted: true, Mark: queue.Held,
		Recipients: []queue.Recipient{
			{queue.Local, "a@y", false, time.Unix(3000, 0)}, {queue.Local, "b@y", true, time.Unix(3000, 0)}, {queue.Remote, "c@z", false, time.Unix(2000, 0)}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("preprocessed: %+v, %v", got, err)
	}
	queuetest.Put(t, dir, "todo/458", "Fx\x00")
	queuetest.Put(t, dir, "info/20/480", "Fy\x00\x00")
	seen := map[queue.Number]bool{}
	for m, err := range q.Messages() {
		if (err != nil) != (m.Number == 480) || seen[m.Number] {
			t.Errorf("%+v, %v", m, err)
		}
		seen[m.Number] = true
	}
	if len(seen) != 3 {
		t.Errorf("%v", seen)
	}
}

// TestMarks: what is done to a whole queue by chmod is no mark.
func TestMarks(t *testing.T) {
	for mode := range uint32(0o10000) {
		want := queue.Unmarked
		switch mode {
		case 0o700, 0o610, 0o601:
			want = queue.Mark(mode)
		}
		if got := queue.MarkOf(mode | 0o100000); got != want {
			t.Errorf("mode %o is %o", mode, got)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
