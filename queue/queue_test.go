package queue_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"goqmail/queue"
	"goqmail/queue/queuetest"
)

func TestParseNumber(t *testing.T) {
	for _, c := range []struct {
		name string
		want queue.Number
		ok   bool
	}{
		{"457", 457, true},
		{"1", 1, true},
		{"18446744073709551615", 1<<64 - 1, true},
		{"18446744073709551616", 0, false},
		{"", 0, false},
		{"0", 0, false},
		{"0457", 0, false},
		{"+457", 0, false},
		{"-457", 0, false},
		{" 457", 0, false},
		{"457\n", 0, false},
		{"4_57", 0, false},
		{"0x1", 0, false},
		{"457/", 0, false},
		{"../457", 0, false},
	} {
		if n, ok := queue.ParseNumber(c.name); ok != c.ok || ok && n != c.want {
			t.Errorf("%q: %d, %v", c.name, n, ok)
		}
	}
}

func TestNames(t *testing.T) {
	q, err := queue.Open(queuetest.New(t, 23))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		kind queue.Kind
		want string
	}{
		{queue.Mess, "mess/20/457"},
		{queue.Info, "info/20/457"},
		{queue.Local, "local/20/457"},
		{queue.Remote, "remote/20/457"},
		{queue.Intd, "intd/457"},
		{queue.Todo, "todo/457"},
		{queue.Bounce, "bounce/457"},
	} {
		if got := q.Name(c.kind, 457); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	if got := q.ID(457); got != "20/457" {
		t.Errorf("ID %s", got)
	}
}

// TestOpen: the split is found in the directory, or refused.
func TestOpen(t *testing.T) {
	for _, c := range []struct {
		name   string
		split  int
		change func(dir string) error
		want   uint64 // 0: refused
	}{
		{"usual", 23, nil, 23},
		{"one", 1, nil, 1},
		{"prime and large", 311, nil, 311},
		{"no mess yet", 0, nil, 23},
		{"empty mess", 0, func(dir string) error { return os.Mkdir(dir+"/mess", 0o755) }, 23},
		{"other names in mess", 7, func(dir string) error { return os.Mkdir(dir+"/mess/lost+found", 0o755) }, 7},
		{"one missing", 23, func(dir string) error { return os.Remove(dir + "/mess/5") }, 0},
		{"one too many", 23, func(dir string) error { return os.Mkdir(dir+"/mess/99", 0o755) }, 0},
		{"one twice", 23, func(dir string) error { return os.Mkdir(dir+"/mess/07", 0o755) }, 0},
		{"mess is a file", 0, func(dir string) error { return os.WriteFile(dir+"/mess", nil, 0o644) }, 0},
		{"no queue", 23, os.RemoveAll, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := queuetest.New(t, c.split)
			if c.change != nil {
				if err := c.change(dir); err != nil {
					t.Fatal(err)
				}
			}
			switch q, err := queue.Open(dir); {
			case c.want == 0 && err == nil:
				t.Errorf("taken for split %d", q.Split())
			case c.want != 0 && (err != nil || q.Split() != c.want):
				t.Errorf("%+v, %v, want split %d", q, err, c.want)
			}
		})
	}
}

func TestNumbers(t *testing.T) {
	dir := queuetest.New(t, 3)
	q, err := queue.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var want []queue.Number
	for n := queue.Number(1); n < 3000; n++ { // more than are read at once
		queuetest.Put(t, dir, q.Name(queue.Info, n), "")
		want = append(want, n)
	}
	queuetest.Put(t, dir, "info/1/junk", "")
	queuetest.Put(t, dir, "info/1/01", "")
	queuetest.Put(t, dir, "todo/5", "")

	collect := func(k queue.Kind) (list []queue.Number, failed error) {
		for n, err := range q.Numbers(k) {
			failed = errors.Join(failed, err)
			if err == nil {
				list = append(list, n)
			}
		}
		slices.Sort(list)
		return list, failed
	}
	if got, err := collect(queue.Info); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%d messages, %v", len(got), err)
	}
	if got, err := collect(queue.Todo); err != nil || !reflect.DeepEqual(got, []queue.Number{5}) {
		t.Errorf("todo %v, %v", got, err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "info/1")); err != nil {
		t.Fatal(err)
	}
	if got, err := collect(queue.Info); !errors.Is(err, os.ErrNotExist) || len(got) != 1999 {
		t.Errorf("with one directory missing: %d messages, %v", len(got), err)
	}
	for range q.Numbers(queue.Info) {
		break // an early end is fine
	}
}

func TestLock(t *testing.T) {
	q, err := queue.Open(queuetest.New(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	first, err := q.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Lock(); !errors.Is(err, queue.ErrRunning) {
		t.Errorf("locked twice: %v", err)
	}
	first.Close()
	again, err := q.Lock()
	if err != nil {
		t.Fatalf("after the first has ended: %v", err)
	}
	again.Close()
}
