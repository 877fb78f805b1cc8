package replay

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/integration/site"
)

func TestMain(m *testing.M) {
	Main()
	site.Main(m)
}

const dir = "/mnt/disk"

var filesystems = []Filesystem{Ext4, XFS, Btrfs}

// each runs a test for each filesystem.
func each(t *testing.T, test func(t *testing.T, kind Filesystem)) {
	for _, kind := range filesystems {
		t.Run(kind.Name, func(t *testing.T) { test(t, kind) })
	}
}

// newDisk makes a disk in a fresh site.
func newDisk(t *testing.T, kind Filesystem) (*site.Site, *Disk) {
	t.Helper()
	s := site.New(t)
	return s, NewDisk(t, kind, dir)
}

// TestBarriers: what is synced is in the log, before a flush that is there when the sync
// has returned; and what is not need not be.
func TestBarriers(t *testing.T) {
	each(t, func(t *testing.T, kind Filesystem) {
		_, disk := newDisk(t, kind)
		r := disk.Record()
		for i := range 3 {
			if err := write(fmt.Sprint("synced", i), text(fmt.Sprint("synced", i)), true); err != nil {
				t.Fatal(err)
			}
			r.Mark(fmt.Sprint("synced", i))
		}
		log := r.Stop()
		synced, flushed := -1, 0
		for n, e := range log.Events {
			switch {
			case e.Kind == Write:
				for i := range 3 {
					if bytes.Contains(e.Data, []byte(text(fmt.Sprint("synced", i)))) {
						synced = i
					}
				}
			case e.Kind == Flush:
				flushed = synced
			case e.Kind == Mark && string(e.Data) != fmt.Sprint("synced", flushed):
				t.Errorf("event %d: %s, but in the log and flushed is only %d", n, e.Data, flushed)
			}
		}
		if synced != 2 {
			t.Errorf("in the log is only %d", synced)
		}
	})
}

func text(name string) string { return strings.Repeat(name+"\n", 1000) }

func write(name, text string, sync bool) error {
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	if sync {
		return f.Sync()
	}
	return nil
}

// TestCareless: writers that leave a sync out are found out, and one that does not is
// not.
func TestCareless(t *testing.T) {
	each(t, func(t *testing.T, kind Filesystem) {
		for _, w := range []struct {
			name            string
			file, directory bool
		}{
			{"both synced", true, true},
			{"file synced", true, false},
			{"directory synced", false, true},
		} {
			t.Run(w.name, func(t *testing.T) {
				_, disk := newDisk(t, kind)
				log := writeFiles(t, disk, w.file, w.directory)
				wrong := 0
				disk.Each(log, log.States(0, 50, rand.New(rand.NewPCG(1, 2)), kind), func(s State) {
					for _, name := range log.Marks(s.Moment) {
						if found, err := os.ReadFile(filepath.Join(dir, name)); string(found) != text(name) {
							if wrong++; w.file && w.directory {
								t.Errorf("%v: %s: %d bytes, %v", s, name, len(found), err)
							}
						}
					}
				})
				if wrong == 0 && !(w.file && w.directory) {
					t.Error("not found out")
				}
			})
		}
	})
}

// writeFiles writes files one after another, each under another name first, and says so
// when it is there.
func writeFiles(t *testing.T, disk *Disk, file, directory bool) *Log {
	t.Helper()
	r := disk.Record()
	top, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	for i := range 20 {
		name := fmt.Sprint("file", i)
		err := write("new", text(name), file)
		if err == nil {
			err = os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, name))
		}
		if err == nil && directory {
			err = top.Sync()
		}
		if err != nil {
			t.Fatal(err)
		}
		r.Mark(name)
	}
	top.Close()
	return r.Stop()
}

// TestStates: states are what they are said to be, different, and the same when they are
// chosen again.
func TestStates(t *testing.T) {
	log := &Log{}
	for i := range 50 {
		log.Events = append(log.Events, Event{Kind: Write, Offset: int64(i) * 4096, Data: make([]byte, 4096)},
			Event{Kind: Write, Offset: 0, Data: make([]byte, 4096)}, Event{Kind: Mark, Data: []byte("x")})
		if i%3 == 0 {
			log.Events = append(log.Events, Event{Kind: Flush})
		}
	}
	choose := func() []State { return log.States(10, 300, rand.New(rand.NewPCG(1, 2)), Ext4) }
	states := choose()
	if len(states) != 300 || fmt.Sprint(states) != fmt.Sprint(choose()) {
		t.Errorf("%d states, or others the next time", len(states))
	}
	torn := 0
	for _, s := range states {
		if s.Flush < 10 || log.Events[s.Flush].Kind != Flush || s.Moment <= s.Flush {
			t.Errorf("%v", s)
		}
		for _, e := range log.Events[s.Flush+1 : s.Moment] {
			if e.Kind == Flush {
				t.Errorf("there is another flush: %v", s)
			}
		}
		for _, p := range s.Kept {
			e := log.Events[p.Event]
			if e.Kind != Write || p.Event <= s.Flush || p.Event >= s.Moment || p.From < 0 || p.From >= p.To || p.To > len(e.Data) {
				t.Errorf("%v", s)
			}
			if p.To-p.From < len(e.Data) {
				torn++
				if at := e.Offset + int64(p.From+p.To)%4096; at%512 != 0 || at == 1536 {
					t.Errorf("torn at %d: %v", at, s)
				}
			}
		}
	}
	if torn == 0 {
		t.Error("none is torn")
	}
}
