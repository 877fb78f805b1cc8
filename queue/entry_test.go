package queue_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"syscall"
	"testing"
	"time"

	"goqmail/queue"
	"goqmail/queue/queuetest"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, dir string) *queue.Queue {
	t.Helper()
	q, err := queue.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// fill writes a message and an envelope.
func fill(t *testing.T, e *queue.Entry) {
	t.Helper()
	e.Message.WriteString("Subject: x\n\nbody\n")
	f, err := e.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("u1\x00p2\x00Fs\x00Tr\x00")
}

// TestEntryStates follows one message from S1 to S4.
func TestEntryStates(t *testing.T) {
	dir := queuetest.New(t, 23)
	followStates(t, dir, open(t, dir))
}

// TestEntryStatesNamed does so where there are no files without names.
func TestEntryStatesNamed(t *testing.T) {
	dir := queuetest.New(t, 23)
	q, err := queue.OpenNamed(dir)
	if err != nil {
		t.Fatal(err)
	}
	followStates(t, dir, q)
}

func followStates(t *testing.T, dir string, q *queue.Queue) {
	e, err := q.Begin(noon)
	if err != nil {
		t.Fatal(err)
	}
	mess, intd, todo := q.Name(queue.Mess, e.Number), q.Name(queue.Intd, e.Number), q.Name(queue.Todo, e.Number)
	wantFiles := func(state string, want ...string) {
		t.Helper()
		if got := queuetest.Files(t, dir); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", state, got, want)
		}
	}
	wantFiles("S2", mess)
	var st syscall.Stat_t
	if err := syscall.Stat(filepath.Join(dir, mess), &st); err != nil || queue.Number(st.Ino) != e.Number {
		t.Errorf("message %d has inode number %d, %v", e.Number, st.Ino, err)
	}
	fill(t, e)
	wantFiles("S3", intd, mess)
	if err := e.Commit(noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	wantFiles("S4", intd, mess, todo)
	if got := queuetest.Get(t, dir, todo); got != "u1\x00p2\x00Fs\x00Tr\x00" {
		t.Errorf("todo %q", got)
	}
	if got := queuetest.Get(t, dir, mess); got != "Subject: x\n\nbody\n" {
		t.Errorf("mess %q", got)
	}
}

// TestEntryFails: each error has its name, and what fails before the link leaves
// nothing in the queue.
func TestEntryFails(t *testing.T) {
	remove := func(name string) func(string, *queue.Entry) {
		return func(dir string, _ *queue.Entry) { os.RemoveAll(filepath.Join(dir, name)) }
	}
	for _, c := range []struct {
		name  string
		begin func(dir string, e *queue.Entry) // before Begin
		fill  func(dir string, e *queue.Entry) // before Envelope
		end   func(dir string, e *queue.Entry) // before Commit
		named bool                             // the filesystem has no files without names
		after time.Duration
		want  error
		left  int // files
	}{
		{name: "no pid", begin: remove("pid"), want: queue.ErrPid},
		{name: "no mess, no files without names", named: true, begin: remove("mess"), want: queue.ErrMess},
		{name: "no intd, no files without names", named: true, fill: remove("intd"), want: queue.ErrIntd},
		{name: "no mess", begin: remove("mess"), want: queue.ErrMess},
		{name: "no intd", fill: remove("intd"), want: queue.ErrIntd},
		{name: "intd is taken", fill: func(dir string, e *queue.Entry) {
			os.Mkdir(filepath.Join(dir, "intd", e.Number.String()), 0o755)
		}, want: queue.ErrIntd},
		{name: "no todo", end: remove("todo"), want: queue.ErrTodo, left: 2},
		{name: "todo is taken", end: func(dir string, e *queue.Entry) {
			os.Mkdir(filepath.Join(dir, "todo", e.Number.String()), 0o755)
		}, want: queue.ErrTodo, left: 2},
		{name: "a file cannot be synced", end: func(_ string, e *queue.Entry) { e.Message.Close() }, want: queue.ErrWrite},
		{name: "a directory cannot be synced", end: func(dir string, e *queue.Entry) {
			os.Rename(filepath.Join(dir, "mess"), filepath.Join(dir, "gone"))
		}, want: queue.ErrWrite, left: 1},
		{name: "mess was removed", end: func(dir string, e *queue.Entry) {
			names, _ := filepath.Glob(filepath.Join(dir, "mess", "*", e.Number.String()))
			os.Remove(names[0])
		}, want: queue.ErrMess},
		{name: "a day has passed", after: queue.Death, want: queue.ErrDeath},
		{name: "almost a day has passed", after: queue.Death - time.Second},
		{name: "the clock was set back", after: -queue.Death},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := queuetest.New(t, 23)
			q := open(t, dir)
			if c.named {
				q, _ = queue.OpenNamed(dir)
			}
			if err := attempt(q, dir, c.begin, c.fill, c.end, c.after); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if files := queuetest.Files(t, dir); c.want != nil && len(files) != c.left {
				t.Errorf("left: %v", files)
			}
		})
	}
}

// attempt puts a message into the queue, with disturbances.
func attempt(q *queue.Queue, dir string, begin, fill, end func(string, *queue.Entry), after time.Duration) error {
	disturb := func(f func(string, *queue.Entry), e *queue.Entry) {
		if f != nil {
			f(dir, e)
		}
	}
	disturb(begin, nil)
	e, err := q.Begin(noon)
	if err != nil {
		return err
	}
	disturb(fill, e)
	f, err := e.Envelope()
	if err != nil {
		e.Abort()
		return err
	}
	f.WriteString("Fs\x00\x00")
	disturb(end, e)
	return e.Commit(noon.Add(after))
}

func TestAbort(t *testing.T) {
	dir := queuetest.New(t, 23)
	q := open(t, dir)
	e, err := q.Begin(noon)
	if err != nil {
		t.Fatal(err)
	}
	e.Abort()
	e, err = q.Begin(noon)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, e)
	e.Abort()
	if files := queuetest.Files(t, dir); len(files) != 0 {
		t.Errorf("left: %v", files)
	}
}

// TestEntriesAtOnce: many of one process in one second do not get in each
// other's way.
func TestEntriesAtOnce(t *testing.T) {
	dir := queuetest.New(t, 23)
	q := open(t, dir)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			e, err := q.Begin(noon)
			if err != nil {
				t.Error(err)
				return
			}
			fmt.Fprint(e.Message, i)
			f, err := e.Envelope()
			if err != nil {
				t.Error(err)
				return
			}
			fmt.Fprint(f, i)
			if err := e.Commit(noon); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	count := 0
	for n, err := range q.Numbers(queue.Todo) {
		if err != nil {
			t.Fatal(err)
		}
		count++
		if m, e := queuetest.Get(t, dir, q.Name(queue.Mess, n)), queuetest.Get(t, dir, q.Name(queue.Todo, n)); m != e {
			t.Errorf("message %s has the envelope of %s", m, e)
		}
	}
	if count != 50 {
		t.Errorf("%d messages", count)
	}
}

// TestPidTaken: names that a dead process with our number left are passed over.
func TestPidTaken(t *testing.T) {
	dir := queuetest.New(t, 23)
	for i := range 3 {
		queuetest.Put(t, dir, fmt.Sprintf("pid/%d.%d.%d", os.Getpid(), noon.Unix(), os.Getpid()+i+1), "")
	}
	q, err := queue.OpenNamed(dir)
	if err != nil {
		t.Fatal(err)
	}
	e, err := q.Begin(noon)
	if err != nil {
		t.Fatal(err)
	}
	e.Abort()
}
