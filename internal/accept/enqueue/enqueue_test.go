package enqueue

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"goqmail/queue"
	"goqmail/queue/queuetest"
)

var (
	noon = time.Date(2026, 11, 4, 12, 0, 0, 0, time.FixedZone("", 3600))
	joe  = Submitter{PID: 4711, UID: 1000}
)

func clock() time.Time { return noon }

func newQueue(t testing.TB) (*queue.Queue, string) {
	t.Helper()
	dir := queuetest.New(t, 23)
	q, err := queue.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return q, dir
}

// TestAccept: what ends up in the queue.
func TestAccept(t *testing.T) {
	for _, c := range []struct {
		by      Submitter
		invoked string
		ids     string
	}{
		{joe, "by uid 1000", "u1000\x00p4711\x00"},
		{Submitter{PID: 1, UID: 0, Name: "root"}, "by uid 0", "u0\x00p1\x00"},
		{Submitter{PID: 1, UID: 1<<32 - 1}, "by uid 4294967295", "u4294967295\x00p1\x00"},
		{Submitter{PID: 9, UID: 61, Name: "alias"}, "by alias", "u61\x00p9\x00"},
		{Submitter{PID: 9, UID: 62, Name: "qmaild"}, "from network", "u62\x00p9\x00"},
		{Submitter{PID: 9, UID: 67, Name: "qmails"}, "for bounce", "u67\x00p9\x00"},
	} {
		q, dir := newQueue(t)
		err := Accept(q, strings.NewReader("Subject: x\n\nbody"), strings.NewReader("Fs@x\x00Ta@y\x00T\x00\x00junk"), c.by, clock)
		if err != nil {
			t.Fatal(err)
		}
		for n := range q.Numbers(queue.Todo) {
			pid, _, _ := strings.Cut(c.ids[strings.Index(c.ids, "p")+1:], "\x00")
			want := "Received: (qmail " + pid + " invoked " + c.invoked + "); 4 Nov 2026 11:00:00 -0000\nSubject: x\n\nbody"
			if got := queuetest.Get(t, dir, q.Name(queue.Mess, n)); got != want {
				t.Errorf("message %q, want %q", got, want)
			}
			if got, want := queuetest.Get(t, dir, q.Name(queue.Todo, n)), c.ids+"Fs@x\x00Ta@y\x00T\x00"; got != want {
				t.Errorf("envelope %q, want %q", got, want)
			}
		}
		if files := queuetest.Files(t, dir); len(files) != 3 {
			t.Errorf("files %v", files)
		}
	}
}

// TestRefuse: what is refused, why, and that nothing of it stays.
func TestRefuse(t *testing.T) {
	text := func(s string) io.Reader { return strings.NewReader(s) }
	broken := io.MultiReader(text("start"), iotest.ErrReader(errors.New("broken")))
	long := strings.Repeat("a", MaxAddress)
	for _, c := range []struct {
		name              string
		message, envelope io.Reader
		want              error
	}{
		{"longest addresses", text(""), text("F" + long + "\x00T" + long + "\x00\x00"), nil},
		{"sender too long", text(""), text("F" + long + "a\x00Tr\x00\x00"), ErrAddress},
		{"recipient too long", text(""), text("Fs\x00T" + long + "a\x00\x00"), ErrAddress},
		{"far too long", text(""), text("Fs\x00T" + strings.Repeat(long, 100) + "\x00\x00"), ErrAddress},
		{"too long, cut off", text(""), text("Fs\x00T" + long + "a"), ErrAddress},
		{"no end of the longest", text(""), text("Fs\x00T" + long), ErrRead},
		{"nothing", text(""), text(""), ErrRead},
		{"no end mark", text(""), text("Fs\x00Tr\x00"), ErrRead},
		{"recipient first", text(""), text("Tr\x00\x00"), ErrFormat},
		{"end mark first", text(""), text("\x00"), ErrFormat},
		{"two senders", text(""), text("Fs\x00Fs\x00\x00"), ErrFormat},
		{"message broken", broken, text("Fs\x00Tr\x00\x00"), ErrRead},
		{"envelope broken", text(""), io.MultiReader(text("Fs\x00Tr"), iotest.ErrReader(os.ErrClosed)), ErrRead},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, dir := newQueue(t)
			if err := Accept(q, c.message, c.envelope, joe, clock); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if files := queuetest.Files(t, dir); c.want != nil && len(files) != 0 {
				t.Errorf("left: %v", files)
			}
		})
	}
}

// TestLate: a message that took a day to come in is refused.
func TestLate(t *testing.T) {
	q, dir := newQueue(t)
	now := noon
	slow := readerFunc(func([]byte) (int, error) { now = now.Add(queue.Death); return 0, io.EOF })
	err := Accept(q, slow, strings.NewReader("Fs\x00Tr\x00\x00"), joe, func() time.Time { return now })
	if !errors.Is(err, queue.ErrDeath) {
		t.Error(err)
	}
	if files := queuetest.Files(t, dir); len(files) != 0 {
		t.Errorf("left: %v", files)
	}
}

// TestMemory: neither a long message nor a long envelope is held.
func TestMemory(t *testing.T) {
	recipient := "T" + strings.Repeat("r", 99) + "\x00"
	for _, c := range []struct {
		name              string
		message, envelope io.Reader
	}{
		{"message", io.LimitReader(endless("x"), 64<<20), strings.NewReader("F\x00\x00")},
		{"envelope", strings.NewReader(""), io.MultiReader(strings.NewReader("F\x00"), io.LimitReader(endless(recipient), 101*100_000), strings.NewReader("\x00"))},
	} {
		q, _ := newQueue(t)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := Accept(q, c.message, c.envelope, joe, clock); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
			t.Errorf("%s: %d bytes allocated", c.name, grown)
		}
	}
}

// endless repeats a text.
func endless(text string) io.Reader {
	rest := text
	return readerFunc(func(p []byte) (n int, _ error) {
		for n < len(p) {
			if rest == "" {
				rest = text
			}
			m := copy(p[n:], rest)
			n, rest = n+m, rest[m:]
		}
		return n, nil
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// FuzzEnvelope: an accepted envelope is copied without its last byte, and reads
// back as one sender and recipients of allowed length.
func FuzzEnvelope(f *testing.F) {
	f.Add([]byte("Fs@x\x00Ta@y\x00T\x00\x00junk"))
	f.Add([]byte("F\x00\x00"))
	f.Add([]byte("Fs\x00Fs\x00\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		w := bufio.NewWriter(&out)
		if err := copyEnvelope(w, bufio.NewReaderSize(source{bytes.NewReader(in)}, 16<<10)); err != nil {
			if !errors.Is(err, ErrRead) && !errors.Is(err, ErrAddress) && !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		w.Flush()
		if !bytes.HasPrefix(in, append(out.Bytes(), 0)) {
			t.Fatalf("%q copied as %q", in, out.Bytes())
		}
		records := queue.NewRecordReader(&out, 0)
		for want := byte('F'); ; want = 'T' {
			r, err := records.Next()
			if err == io.EOF && want == 'T' {
				return
			}
			if err != nil || r.Kind != want || len(r.Text) > MaxAddress {
				t.Fatalf("%q: record %c %d bytes, %v", in, r.Kind, len(r.Text), err)
			}
		}
	})
}
