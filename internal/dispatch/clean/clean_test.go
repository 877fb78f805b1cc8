package clean

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"goqmail/queue"
	"goqmail/queue/queuetest"
)

// everything is all that there can be of message 457.
var everything = []string{"bounce/457", "info/20/457", "intd/457", "local/20/457", "mess/20/457", "remote/20/457", "todo/457"}

func serve(t *testing.T, dir, requests string, now time.Time) string {
	t.Helper()
	var answers bytes.Buffer
	if err := Serve(dir, strings.NewReader(requests), &answers, func() time.Time { return now }); err != nil {
		t.Fatal(err)
	}
	return answers.String()
}

func TestRequests(t *testing.T) {
	for _, c := range []struct {
		name, requests, answers string
		removed                 []string
	}{
		{"done", "foop/457\x00", "+", []string{"intd/457", "mess/20/457"}},
		{"preprocessed", "todo/457\x00", "+", []string{"intd/457", "todo/457"}},
		{"both", "todo/457\x00foop/457\x00", "++", []string{"intd/457", "todo/457", "mess/20/457"}},
		{"another message", "foop/458\x00todo/458\x00", "++", nil},
		{"other directories", "mess/457\x00info/457\x00local/457\x00remote/457\x00bounce/457\x00intd/457\x00pid/457\x00", "xxxxxxx", nil},
		{"no message", "foop/\x00todo/\x00foop\x00/457\x00\x00", "xxxxx", nil},
		{"number 0", "foop/0\x00", "x", nil},
		{"no numbers", "foop/abc\x00foop/-1\x00foop/+457\x00foop/0457\x00foop/457 \x00todo/0x1c9\x00", "xxxxxx", nil},
		{"other paths", "foop/../mess/20/457\x00foop/20/457\x00/foop/457\x00foop//457\x00", "xxxx", nil},
		{"number too large", "foop/18446744073709551616\x00", "x", nil},
		{"cut off", "foop/457", "", nil},
		{"too long", "foop/" + strings.Repeat("4", 100) + "\x00foop/457\x00", "x+", []string{"intd/457", "mess/20/457"}},
		{"endless", strings.Repeat("foop/457", 10_000) + "\x00todo/1\x00", "x+", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := queuetest.New(t, 23)
			var want []string
			for _, name := range everything {
				queuetest.Put(t, dir, name, "")
				if !slices.Contains(c.removed, name) {
					want = append(want, name)
				}
			}
			if got := serve(t, dir, c.requests, time.Now()); got != c.answers {
				t.Errorf("answers %q, want %q", got, c.answers)
			}
			if got := queuetest.Files(t, dir); !reflect.DeepEqual(got, want) {
				t.Errorf("left %v, want %v", got, want)
			}
		})
	}
}

// TestTrouble: where intd cannot be removed, mess must stay.
func TestTrouble(t *testing.T) {
	dir := queuetest.New(t, 23)
	if err := os.Mkdir(filepath.Join(dir, "intd/457"), 0o755); err != nil {
		t.Fatal(err)
	}
	queuetest.Put(t, dir, "mess/20/457", "")
	if got := serve(t, dir, "foop/457\x00foop/1\x00", time.Now()); got != "!+" {
		t.Errorf("answers %q", got)
	}
	if got := queuetest.Files(t, dir); !reflect.DeepEqual(got, []string{"mess/20/457"}) {
		t.Errorf("left %v", got)
	}
}

// TestPid: old files in pid go at the start and after every thirty requests.
func TestPid(t *testing.T) {
	dir := queuetest.New(t, 23)
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	put := func(name string, age time.Duration) {
		queuetest.Put(t, dir, "pid/"+name, "")
		if err := os.Chtimes(filepath.Join(dir, "pid", name), now.Add(-age), now.Add(-1000*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	put("old", queue.Ossified)
	put("young", queue.Ossified-time.Second)
	put("future", -time.Hour)
	serve(t, dir, "", now)
	if got := queuetest.Files(t, dir); !reflect.DeepEqual(got, []string{"pid/future", "pid/young"}) {
		t.Errorf("at the start: %v", got)
	}
	for _, c := range []struct {
		requests int
		want     []string
	}{
		{interval - 1, []string{"pid/late"}},
		{interval, nil},
	} {
		os.RemoveAll(filepath.Join(dir, "pid"))
		os.Mkdir(filepath.Join(dir, "pid"), 0o755)
		answered := 0
		ask := iotest.OneByteReader(strings.NewReader(strings.Repeat("foop/1\x00", c.requests)))
		err := Serve(dir, ask, writerFunc(func([]byte) (int, error) {
			if answered++; answered == 1 {
				put("late", queue.Ossified)
			}
			return 1, nil
		}), func() time.Time { return now })
		if got := queuetest.Files(t, dir); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("after %d requests: %v, %v", c.requests, got, err)
		}
	}
}

// TestNobodyListens: an answer that cannot be given ends it.
func TestNobodyListens(t *testing.T) {
	dir := queuetest.New(t, 23)
	for _, name := range everything {
		queuetest.Put(t, dir, name, "")
	}
	err := Serve(dir, iotest.OneByteReader(strings.NewReader("foop/1\x00foop/457\x00")), writerFunc(func([]byte) (int, error) { return 0, os.ErrClosed }), time.Now)
	if !errors.Is(err, os.ErrClosed) || len(queuetest.Files(t, dir)) != len(everything) {
		t.Errorf("%v, left %v", err, queuetest.Files(t, dir))
	}
}

// TestTogether: what has come together is answered together, and nobody waits for an
// answer until somebody has asked for the rest of something else.
func TestTogether(t *testing.T) {
	dir := queuetest.New(t, 23)
	requests, ask := io.Pipe()
	answers, answer := io.Pipe()
	go Serve(dir, requests, answer, time.Now)
	for _, c := range []struct{ ask, want string }{{"foop/1\x00foop/2\x00todo", "++"}, {"/3\x00", "+"}} {
		ask.Write([]byte(c.ask))
		var got [10]byte
		if n, _ := answers.Read(got[:]); string(got[:n]) != c.want {
			t.Errorf("%q answered %q", c.ask, got[:n])
		}
	}
	ask.Close()
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// FuzzRequests: whatever is asked, the files of other messages and other
// directories stay, and every complete request has one answer.
func FuzzRequests(f *testing.F) {
	f.Add([]byte("foop/457\x00todo/457\x00"))
	f.Add([]byte("foop/../intd/1\x00foop/1"))
	dir := queuetest.New(f, 2)
	keep := []string{"bounce/7", "info/1/7", "local/1/7", "remote/1/7", "pid/7", "lock/sendmutex"}
	for _, name := range keep {
		queuetest.Put(f, dir, name, "")
	}
	f.Fuzz(func(t *testing.T, requests []byte) {
		answers := serve(t, dir, string(requests), time.Now())
		if len(answers) != bytes.Count(requests, []byte{0}) || strings.Trim(answers, "+x!") != "" {
			t.Errorf("%q answered %q", requests, answers)
		}
		for _, name := range keep {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Errorf("%q: %v", requests, err)
			}
		}
	})
}
