package upq

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"goqmail/internal/mail/outcome"
	"goqmail/queue"
)

// newQueue makes a queue of a split with files, such as "mess/5/28".
func newQueue(t *testing.T, split int, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Mkdir(dir+"/lock", 0o750))
	must(t, os.WriteFile(dir+"/lock/sendmutex", nil, 0o600))
	for _, k := range kinds {
		must(t, os.Mkdir(filepath.Join(dir, string(k)), 0o750))
		for i := range split {
			must(t, os.Mkdir(fmt.Sprintf("%s/%s/%d", dir, k, i), 0o750))
		}
	}
	for _, f := range files {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, f)), 0o750))
		must(t, os.WriteFile(filepath.Join(dir, f), []byte(f), 0o644))
	}
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// files lists what is in the queue, and how many subdirectories each kind has.
func files(t *testing.T, dir string) (list []string, subs string) {
	t.Helper()
	for _, k := range kinds {
		count := 0
		must(t, filepath.WalkDir(filepath.Join(dir, string(k)), func(path string, e fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case !e.IsDir():
				rel, _ := filepath.Rel(dir, path)
				list = append(list, rel)
			case filepath.Dir(path) != dir:
				count++
				if info, _ := e.Info(); info.Mode().Perm() != 0o750 {
					t.Errorf("%s has mode %v", path, info.Mode())
				}
			}
			return nil
		}))
		subs += fmt.Sprint(count, " ")
	}
	slices.Sort(list)
	return list, strings.TrimSpace(subs)
}

var usual = []string{"mess/0/23", "mess/5/28", "mess/22/22", "info/5/28", "local/5/28", "remote/5/28", "info/0/23"}

func TestArrange(t *testing.T) {
	for _, c := range []struct {
		name      string
		old       int
		files     []string
		split     uint64
		want      []string
		moved     int
		wantSplit int
	}{
		{"nothing to do", 23, usual, 0, usual, 0, 23},
		{"the same", 23, usual, 23, usual, 0, 23},
		{"more", 23, usual, 100, []string{"mess/23/23", "mess/28/28", "mess/22/22", "info/28/28", "local/28/28", "remote/28/28", "info/23/23"}, 6, 100},
		{"less", 23, usual, 5, []string{"mess/3/23", "mess/3/28", "mess/2/22", "info/3/28", "local/3/28", "remote/3/28", "info/3/23"}, 7, 5},
		{"one", 23, usual, 1, []string{"mess/0/23", "mess/0/28", "mess/0/22", "info/0/28", "local/0/28", "remote/0/28", "info/0/23"}, 5, 1},
		{"from before there was a split", 0, []string{"mess/28", "info/28", "local/28", "mess/100"}, 23, []string{"mess/5/28", "info/5/28", "local/5/28", "mess/8/100"}, 4, 23},
		{"the usual split", 0, []string{"mess/28", "info/28"}, 0, []string{"mess/5/28", "info/5/28"}, 2, 23},
		{"the same with directories", 23, []string{"mess/28", "info/28"}, 0, []string{"mess/5/28", "info/5/28"}, 2, 23},
		{"misplaced", 23, []string{"mess/7/28", "info/5/28"}, 0, []string{"mess/5/28", "info/5/28"}, 1, 23},
		{"what is no message stays", 23, []string{"mess/README", "mess/3/x", "mess/3/028"}, 0, []string{"mess/README", "mess/3/x", "mess/3/028"}, 0, 23},
		{"a gap", 3, []string{"mess/7/28", "info/7/28"}, 3, []string{"mess/1/28", "info/1/28"}, 2, 3},
	} {
		dir := newQueue(t, c.old, c.files...)
		moved, err := Arrange(dir, c.split)
		if moved != c.moved || err != nil {
			t.Errorf("%s: %d moved, %v", c.name, moved, err)
		}
		slices.Sort(c.want)
		list, subs := files(t, dir)
		if wantSubs := strings.TrimSpace(strings.Repeat(fmt.Sprint(c.wantSplit, " "), 4)); !slices.Equal(list, c.want) || subs != wantSubs {
			t.Errorf("%s: %v, subdirectories %s", c.name, list, subs)
		}
		if got, want := Report(moved, dir), fmt.Sprintf("%d files moved; the queue is split into %d.", c.moved, c.wantSplit); got != want {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}

// TestInterrupted: whatever was done when the power failed, nobody opens the queue
// until it is arranged.
func TestInterrupted(t *testing.T) {
	for name, steps := range map[string]func(*arrangement) error{
		"after the barrier": (*arrangement).begin,
		"after a pass":      func(a *arrangement) error { return errors.Join(a.begin(), a.movePass(queue.Mess)) },
		"before the end":    func(a *arrangement) error { return errors.Join(a.begin(), a.move()) },
		"within the end": func(a *arrangement) error {
			return errors.Join(a.begin(), a.move(), os.Remove(filepath.Join(a.dir, "mess/22")))
		},
	} {
		dir := newQueue(t, 23, usual...)
		a := &arrangement{dir: dir, split: 7}
		must(t, steps(a))
		if _, err := queue.Open(dir); err == nil {
			t.Errorf("%s: open", name)
		}
		if got := Report(0, dir); !strings.Contains(got, "unable to open queue") {
			t.Errorf("%s: %s", name, got)
		}
		if _, err := Arrange(dir, 0); outcome.Of(err) != outcome.Failure || !strings.Contains(err.Error(), "say which split") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Arrange(dir, 7); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		want := []string{"mess/2/23", "mess/0/28", "mess/1/22", "info/0/28", "local/0/28", "remote/0/28", "info/2/23"}
		slices.Sort(want)
		if list, subs := files(t, dir); !slices.Equal(list, want) || subs != "7 7 7 7" {
			t.Errorf("%s: %v, subdirectories %s", name, list, subs)
		}
	}
}

func TestRefusals(t *testing.T) {
	// Two files of one name: one of them is nobody knows whose.
	dir := newQueue(t, 23, "mess/5/28", "mess/7/28")
	if _, err := Arrange(dir, 0); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	for _, f := range []string{"mess/5/28", "mess/7/28"} {
		if text, err := os.ReadFile(filepath.Join(dir, f)); string(text) != f {
			t.Error(string(text), err)
		}
	}
	// A running qmail-send.
	dir = newQueue(t, 23, usual...)
	q, err := queue.Open(dir)
	must(t, err)
	lock, err := q.Lock()
	must(t, err)
	if _, err := Arrange(dir, 7); !errors.Is(err, queue.ErrRunning) {
		t.Error(err)
	}
	lock.Close()
	if _, err := Arrange(dir, MaxSplit+1); outcome.Of(err) != outcome.Failure {
		t.Error(err)
	}
	if list, subs := files(t, dir); len(list) != len(usual) || subs != "23 23 23 23" {
		t.Error(list, subs)
	}
	// A directory that is no queue.
	if _, err := Arrange(t.TempDir(), 7); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	// Something in the way.
	dir = newQueue(t, 23, "mess/22/note")
	if _, err := Arrange(dir, 7); err == nil {
		t.Error("a file that is no message's was removed")
	}
	if _, err := os.Stat(dir + "/mess/22/note"); err != nil {
		t.Error(err)
	}
}
