package mend

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"goqmail/internal/admin/install"
	"goqmail/queue"
	"goqmail/queue/queuetest"

	"golang.org/x/sys/unix"
)

// split is that of the queues here; a smaller one than usual has less to sync.
const split = 3

// anybody has every account.
type anybody struct{}

func (anybody) UID(string) (uint32, error) { return uint32(os.Getuid()), nil }
func (anybody) GID(string) (uint32, error) { return uint32(os.Getgid()), nil }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A home has a queue without faults, and a way to tell messages apart.
type home struct {
	t   *testing.T
	dir string // of the queue
}

func newHome(t *testing.T) *home {
	dir := queuetest.New(t, split)
	must(t, install.Plan{Home: filepath.Dir(dir), Accounts: anybody{}}.InstallQueue())
	return &home{t, dir}
}

// put makes a message whose files have a number that need not be its inode's.
func (h *home) put(n int, text string, kinds ...queue.Kind) {
	for _, k := range kinds {
		name := fmt.Sprintf("%s/%d/%d", k, n%split, n)
		if k == queue.Todo || k == queue.Intd || k == queue.Bounce {
			name = fmt.Sprintf("%s/%d", k, n)
		}
		queuetest.Put(h.t, h.dir, name, text)
		if k != queue.Mess && k != queue.Todo && k != queue.Intd {
			must(h.t, os.Chmod(filepath.Join(h.dir, name), 0o600))
		}
	}
}

// whole checks that the files of each message are those of one, that it has its inode's
// number, and returns the texts.
func (h *home) whole() []string {
	h.t.Helper()
	var texts []string
	q, err := queue.Open(h.dir)
	must(h.t, err)
	for n, err := range q.Numbers(queue.Mess) {
		must(h.t, err)
		var st unix.Stat_t
		must(h.t, unix.Stat(q.Path(queue.Mess, n), &st))
		if st.Ino != uint64(n) {
			h.t.Errorf("message %d has inode %d", n, st.Ino)
		}
		text := queuetest.Get(h.t, h.dir, q.Name(queue.Mess, n))
		texts = append(texts, text)
		for _, k := range all {
			if other, err := os.ReadFile(q.Path(k, n)); err == nil && string(other) != text {
				h.t.Errorf("message %d: %s is of %q, not %q", n, k, other, text)
			}
		}
	}
	slices.Sort(texts)
	return texts
}

func (h *home) check() []string {
	h.t.Helper()
	wrong, err := Check(filepath.Dir(h.dir), anybody{})
	must(h.t, err)
	return wrong
}

func (h *home) repair() []string {
	h.t.Helper()
	done, err := Repair(filepath.Dir(h.dir), anybody{}, split)
	must(h.t, err)
	return done
}

// TestRenumber: messages get the numbers of their inodes, also where these are the old
// numbers of others.
func TestRenumber(t *testing.T) {
	h := newHome(t)
	kinds := []queue.Kind{queue.Mess, queue.Info, queue.Local, queue.Bounce}
	const messages = 40
	for n := range messages {
		h.put(1<<40+n, fmt.Sprintf("F%02d\x00", n), kinds...)
	}
	h.repair()
	if wrong := h.check(); len(wrong) > 0 {
		t.Errorf("%v", wrong)
	}
	before := h.whole()
	// Each gets the number of the next.
	var numbers []queue.Number
	q, err := queue.Open(h.dir)
	must(t, err)
	for n := range q.Numbers(queue.Mess) {
		numbers = append(numbers, n)
	}
	for _, n := range numbers {
		for _, k := range kinds {
			must(t, os.Rename(q.Path(k, n), q.Path(k, n)+".moved"))
		}
	}
	for i, n := range numbers {
		for _, k := range kinds {
			must(t, os.Rename(q.Path(k, n)+".moved", q.Path(k, numbers[(i+1)%len(numbers)])))
		}
	}
	if wrong := h.check(); len(wrong) != messages || !strings.Contains(wrong[0], ": has inode number ") {
		t.Errorf("%v", wrong)
	}
	h.repair()
	if after := h.whole(); !slices.Equal(before, after) || len(after) != messages || len(h.check()) > 0 {
		t.Errorf("%v became %v; %v", before, after, h.check())
	}
}

// TestInterrupted: wherever a repair stops, the next one goes on, and no message is lost
// or mixed up with another.
func TestInterrupted(t *testing.T) {
	const messages = 4
	for renames := 0; ; renames++ {
		h := newHome(t)
		for n := range messages {
			kinds := []queue.Kind{queue.Mess, queue.Info, queue.Local, queue.Remote, queue.Bounce}
			if n%2 == 1 {
				kinds = []queue.Kind{queue.Mess, queue.Intd, queue.Todo}
			}
			h.put(1<<40+n, fmt.Sprintf("Fmessage %d\x00", n), kinds...)
		}
		s, err := newSurvey(h.dir, split, anybody{})
		must(t, err)
		r := &repair{survey: s}
		left := renames
		r.crash = func() bool { left--; return left < 0 }
		must(t, os.Mkdir(h.dir+"/mess/4294967296", 0o755)) // the barrier
		err = r.run()
		h.repair()
		if texts := h.whole(); len(texts) != messages || len(slices.Compact(texts)) != messages {
			t.Fatalf("after %d renames: %v", renames, queuetest.Files(t, h.dir))
		}
		if files := queuetest.Files(t, h.dir); len(files) != 2*5+2*3 {
			t.Fatalf("after %d renames: %v", renames, files)
		}
		if wrong := h.check(); len(wrong) > 0 {
			t.Fatalf("after %d renames: %v", renames, wrong)
		}
		if err == nil {
			if renames < 2*2*(5+3) {
				t.Errorf("only %d renames", renames)
			}
			return
		}
	}
}

// TestFaults: what is found, and what becomes of it.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		harm  func(h *home, n string)
		found string
		after []string // files that are aside, with N for the message's number
	}{
		{"nothing", func(*home, string) {}, "", nil},
		{"no text", func(h *home, n string) { must(h.t, os.Remove(h.find("mess", n))) }, "there is no message of this number", []string{"bounce/N.orphan", "info/N.orphan", "local/N.orphan"}},
		{"no sender", func(h *home, n string) { must(h.t, os.Remove(h.find("info", n))) }, "nobody knows the sender", []string{"bounce/N.orphan", "local/N.orphan", "mess/N.orphan"}},
		{"a wrong directory", func(h *home, n string) {
			h.put(1<<41, "x", queue.Mess)
			must(h.t, os.Rename(h.find("mess", fmt.Sprint(1<<41)), h.dir+"/mess/1/"+fmt.Sprint(1<<41)))
		}, "belongs into mess/", nil},
		{"wrong modes", func(h *home, n string) {
			must(h.t, os.Chmod(h.find("mess", n), 0o600))
			must(h.t, os.Chmod(h.find("local", n), 0o755))
		}, "mode 0755, should be 0600", nil},
		{"a mark", func(h *home, n string) { must(h.t, os.Chmod(h.find("local", n), 0o700)) }, "", nil},
		{"the modes of C", func(h *home, n string) { must(h.t, os.Chmod(h.find("info", n), 0o644)) }, "", nil},
		{"no trigger", func(h *home, n string) { must(h.t, os.Remove(h.dir+"/lock/trigger")) }, "queue/lock/trigger: no such file", nil},
		{"a trigger that is a file", func(h *home, n string) {
			must(h.t, os.Remove(h.dir+"/lock/trigger"))
			queuetest.Put(h.t, h.dir, "lock/trigger", "")
		}, "queue/lock/trigger: is not a named pipe", nil},
		{"no lock", func(h *home, n string) { must(h.t, os.RemoveAll(h.dir+"/lock")) }, "queue/lock", nil},
		{"no directory of bounces", func(h *home, n string) { must(h.t, os.RemoveAll(h.dir+"/bounce")) }, "queue/bounce: no such file", nil},
		{"a repair that was interrupted", func(h *home, n string) { must(h.t, os.Rename(h.find("local", n), h.find("local", n)+".new")) }, "is left of a repair", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHome(t)
			h.put(1<<40, "Fx\x00", queue.Mess, queue.Info, queue.Local, queue.Bounce)
			h.repair()
			mess, err := filepath.Glob(h.dir + "/mess/*/*")
			if err != nil || len(mess) != 1 {
				t.Fatal(mess, err)
			}
			n := filepath.Base(mess[0])
			c.harm(h, n)
			wrong, err := Check(filepath.Dir(h.dir), anybody{})
			if got := strings.Join(wrong, "\n"); c.found == "" && (got != "" || err != nil) || !strings.Contains(got, c.found) {
				t.Errorf("found %s, %v", got, err)
			}
			h.repair()
			if wrong := h.check(); len(wrong) > 0 {
				t.Errorf("left %v", wrong)
			}
			var aside []string
			for _, name := range queuetest.Files(t, h.dir) {
				if strings.HasSuffix(name, install.Aside) {
					k, _, _ := strings.Cut(name, "/")
					aside = append(aside, k+"/"+strings.ReplaceAll(filepath.Base(name), n, "N"))
				}
			}
			if !slices.Equal(aside, c.after) {
				t.Errorf("aside %v", aside)
			}
		})
	}
}

// TestDamage: what is wrong inside a list is found, and not touched.
func TestDamage(t *testing.T) {
	for _, c := range []struct{ list, found string }{
		{"Ta@x\x00Tb", "is cut off in the middle of a record"},
		{"Ta@x\x00\x00", "malformed record"},
		{"Ta@x\x00Db\x00", ""},
		{"", ""},
	} {
		h := newHome(t)
		h.put(1<<40, "Fx\x00", queue.Mess, queue.Info, queue.Local)
		h.repair()
		found, err := filepath.Glob(h.dir + "/local/*/*")
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		must(t, os.WriteFile(found[0], []byte(c.list), 0o600))
		wrong := strings.Join(h.check(), "\n")
		if (wrong == "") != (c.found == "") || !strings.Contains(wrong, c.found) {
			t.Errorf("%q: found %s", c.list, wrong)
		}
		if _, err := Repair(filepath.Dir(h.dir), anybody{}, 0); (err == nil) != (c.found == "") {
			t.Errorf("%q: %v", c.list, err)
		}
		if text, err := os.ReadFile(found[0]); err != nil || string(text) != c.list {
			t.Errorf("%q became %q, %v", c.list, text, err)
		}
	}
}

// find is the path of a file of a message.
func (h *home) find(kind, n string) string {
	found, err := filepath.Glob(h.dir + "/" + kind + "/*/" + n)
	if err != nil || len(found) != 1 {
		h.t.Fatal(kind, n, found, err)
	}
	return found[0]
}
