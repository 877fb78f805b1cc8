package tcpto

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var now = time.Unix(1800000000, 0)

func table(t testing.TB, size int, list ...Record) Table {
	t.Helper()
	tab := Table{filepath.Join(t.TempDir(), "tcpto")}
	image := make([]byte, size)
	for i, r := range list {
		s := slots(image)[i]
		copy(s.bytes, s.with(r))
	}
	if err := os.WriteFile(tab.Path, image, 0o644); err != nil {
		t.Fatal(err)
	}
	return tab
}

func record(address string, timeouts, ago int) Record {
	return Record{netip.MustParseAddr(address), timeouts, now.Add(-time.Duration(ago) * time.Second)}
}

func TestFormat(t *testing.T) {
	tab := table(t, classicEnd)
	for _, host := range []string{"192.0.2.1", "2001:db8::1"} {
		if err := tab.TimedOut(netip.MustParseAddr(host), time.Unix(0x6b49d212, 0)); err != nil {
			t.Fatal(err)
		}
	}
	image, err := os.ReadFile(tab.Path)
	want := make([]byte, classicEnd+wideSize)
	copy(want, "\xc0\x00\x02\x01\x01\x00\x00\x00\x12\xd2\x49\x6b")
	copy(want[classicEnd:], "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x12\xd2\x49\x6b")
	if err != nil || !bytes.Equal(image, want) {
		t.Errorf("%x, %v", image, err)
	}
}

func TestUnreachable(t *testing.T) {
	for _, c := range []struct {
		timeouts, ago int
		want          bool
	}{{0, 0, false}, {1, 0, false}, {2, 0, true}, {10, 3599, true}, {10, 3600, false}, {2, -1, false}} {
		if got := record("192.0.2.1", c.timeouts, c.ago).Unreachable(now, time.Hour); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestTimedOut(t *testing.T) {
	const host = "192.0.2.9"
	for _, c := range []struct {
		name   string
		before []Record
		after  []Record
	}{
		{"first", nil, []Record{record(host, 1, 0)}},
		{"second at once", []Record{record(host, 1, 119)}, []Record{record(host, 1, 119)}},
		{"second later", []Record{record(host, 1, 120)}, []Record{record(host, 2, 0)}},
		{"eleventh", []Record{record(host, 10, 9999)}, []Record{record(host, 10, 0)}},
		{"after an answer", []Record{record(host, 0, 1)}, []Record{record(host, 1, 0)}},
		{"first free record", []Record{record("192.0.2.1", 1, 1), record("192.0.2.2", 0, 1), record("192.0.2.3", 1, 1)},
			[]Record{record("192.0.2.1", 1, 1), record(host, 1, 0), record("192.0.2.3", 1, 1)}},
		{"clock set back", []Record{record(host, 1, -5000)}, []Record{record(host, 1, -5000)}},
	} {
		tab := table(t, classicEnd, c.before...)
		if err := tab.TimedOut(netip.MustParseAddr(host), now); err != nil {
			t.Error(err)
		}
		if got, err := tab.Records(); err != nil || !slices.Equal(got, c.after) {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
}

// full returns n records of which the one at oldest is the first to go.
func full(n, oldest int, format string) (list []Record) {
	for i := range n {
		list = append(list, record(fmt.Sprintf(format, i+1), 1, 1000))
	}
	list[oldest] = record(list[oldest].Address.String(), 3, 5000)
	return list
}

func TestFullTable(t *testing.T) {
	four, six := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("2001:db8::ffff")
	t.Run("the oldest record goes", func(t *testing.T) {
		tab := table(t, classicEnd, full(classicNumber, 37, "192.0.2.%d")...)
		tab.TimedOut(four, now)
		got, _ := tab.Records()
		if len(got) != classicNumber || got[37].Address != four {
			t.Errorf("%v", got)
		}
	})
	t.Run("a longer file has more room", func(t *testing.T) {
		tab := table(t, classicEnd+wideSize, full(classicNumber, 37, "192.0.2.%d")...)
		tab.TimedOut(four, now)
		tab.TimedOut(four, now.Add(time.Hour))
		got, _ := tab.Records()
		if len(got) != classicNumber+1 || got[classicNumber] != (Record{four, 2, now.Add(time.Hour)}) {
			t.Errorf("%v", got)
		}
	})
	t.Run("IPv6 lengthens the file up to a limit", func(t *testing.T) {
		tab := table(t, classicEnd)
		at := now
		for i := range wideNumber + 1 {
			at = at.Add(time.Second)
			tab.TimedOut(netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1)), at)
		}
		tab.TimedOut(six, at)
		got, err := tab.Records()
		if st, _ := os.Stat(tab.Path); len(got) != wideNumber || st.Size() != maxSize || got[1].Address != six || err != nil {
			t.Errorf("%d records, %v", len(got), err)
		}
	})
}

func TestAnswered(t *testing.T) {
	tab := table(t, classicEnd, record("192.0.2.1", 5, 10), record("192.0.2.2", 5, 10))
	tab.Answered(netip.MustParseAddr("192.0.2.1"))
	tab.Answered(netip.MustParseAddr("192.0.2.3"))
	got, _ := tab.Records()
	if !slices.Equal(got, []Record{record("192.0.2.2", 5, 10)}) {
		t.Errorf("%v", got)
	}
	if r, known := tab.Find(netip.MustParseAddr("192.0.2.1")); !known || r.Timeouts != 0 {
		t.Errorf("%v, %v", r, known)
	}
	if r, known := tab.Find(netip.MustParseAddr("192.0.2.3")); known {
		t.Errorf("%v", r)
	}
}

func TestClear(t *testing.T) {
	for name, clear := range map[string]func(Table) error{"Clear": Table.Clear, "ClearAtOnce": Table.ClearAtOnce} {
		tab := table(t, classicEnd+2*wideSize, full(classicNumber+2, 3, "192.0.2.%d")...)
		if name == "ClearAtOnce" { // although somebody has the lock
			f, err := tab.lock()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
		}
		if err := clear(tab); err != nil {
			t.Fatal(err)
		}
		if image, _ := os.ReadFile(tab.Path); !bytes.Equal(image, make([]byte, classicEnd+2*wideSize)) {
			t.Errorf("%s: %x", name, image)
		}
		os.Remove(tab.Path)
		if err := clear(tab); err == nil {
			t.Errorf("%s: no table and no error", name)
		}
	}
}

func TestOddFiles(t *testing.T) {
	host := netip.MustParseAddr("192.0.2.1")
	six := netip.MustParseAddr("2001:db8::1")
	missing := Table{filepath.Join(t.TempDir(), "tcpto")}
	if _, err := missing.Records(); !os.IsNotExist(err) {
		t.Error(err)
	}
	if err := missing.TimedOut(host, now); !os.IsNotExist(err) {
		t.Error(err)
	}
	for _, c := range []struct{ size, records int }{{0, 0}, {15, 0}, {16, 2}, {31, 2}, {1024, 2}, {1024 + 31, 2}, {1 << 20, 2}} {
		tab := table(t, 0)
		os.WriteFile(tab.Path, make([]byte, c.size), 0o644)
		for range 2 {
			if err := tab.TimedOut(host, now); err != nil {
				t.Error(err)
			}
			if err := tab.TimedOut(six, now); err != nil {
				t.Error(err)
			}
		}
		if got, err := tab.Records(); len(got) != c.records || err != nil {
			t.Errorf("%d bytes: %v, %v", c.size, got, err)
		}
	}
}

func TestManyWriters(t *testing.T) {
	tab := table(t, classicEnd)
	var all sync.WaitGroup
	for i := range 30 {
		all.Go(func() {
			tab.TimedOut(netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", i)), now)
			tab.TimedOut(netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i)), now)
		})
	}
	all.Wait()
	if got, err := tab.Records(); len(got) != 60 || err != nil {
		t.Errorf("%d records, %v", len(got), err)
	}
}

func FuzzTable(f *testing.F) {
	f.Add([]byte("\xc0\x00\x02\x01\x01\x00\x00\x00\x12\xd2\x49\x6b\x00\x00\x00\x00"), []byte("\xc0\x00\x02\x01"))
	f.Add(bytes.Repeat([]byte{0xff}, classicEnd+wideSize+5), bytes.Repeat([]byte{0xff}, 16))
	f.Add(bytes.Repeat([]byte{7}, classicEnd), bytes.Repeat([]byte{0xff}, 16))
	f.Fuzz(func(t *testing.T, image, address []byte) {
		host, ok := netip.AddrFromSlice(address)
		if !ok {
			return
		}
		host = host.Unmap()
		if len(image) < classicSize || len(image) > maxSize || len(image)%classicSize != 0 || len(image) > classicEnd && len(image)%wideSize != 0 {
			return
		}
		b, offset := timedOut(image, host, now)
		if size := len(b); size > 0 {
			grown := make([]byte, max(len(image), int(offset)+size))
			copy(grown, image)
			copy(grown[offset:], b)
			image = grown
		}
		s, known := find(image, host)
		if r := s.record(); !known || r.Timeouts == 0 || len(image) > maxSize {
			t.Errorf("%v, %v", r, known)
		}
	})
}

// TestOtherFiles: what is no file makes nobody wait.
func TestOtherFiles(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"a fifo":      func(path string) error { return unix.Mkfifo(path, 0o600) },
		"a directory": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		table := Table{filepath.Join(t.TempDir(), "tcpto")}
		if err := make(table.Path); err != nil {
			t.Fatal(err)
		}
		if _, err := table.Records(); err == nil {
			t.Errorf("%s is read", name)
		}
		if _, known := table.Find(netip.MustParseAddr("192.0.2.1")); known {
			t.Errorf("%s has a record", name)
		}
		for what, f := range map[string]func() error{
			"TimedOut":    func() error { return table.TimedOut(netip.MustParseAddr("192.0.2.1"), time.Now()) },
			"Clear":       table.Clear,
			"ClearAtOnce": table.ClearAtOnce,
		} {
			if f() == nil {
				t.Errorf("%s: %s succeeds", name, what)
			}
		}
	}
}
