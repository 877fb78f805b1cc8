package local

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

const dtline = "Delivered-To: joe@h\n"

var headers = []struct {
	name, message string
	want          bool
}{
	{"empty", "", false},
	{"first line", dtline + "\nx\n", true},
	{"later line", "A: b\n" + dtline + "\nx\n", true},
	{"last line, no body", "A: b\n" + dtline, true},
	{"no newline", "A: b\nDelivered-To: joe@h", false},
	{"body", "A: b\n\n" + dtline, false},
	{"no header", "\n" + dtline, false},
	{"longer", "Delivered-To: joe@host\n\n", false},
	{"shorter", "Delivered-To: joe@\n\n", false},
	{"other case", "Delivered-To: Joe@h\n\n", false},
	{"CRLF", "Delivered-To: joe@h\r\n\r\n", false},
	{"a CRLF line ends no header", "A: b\r\n\r\n" + dtline, true},
	{"long line before it", strings.Repeat("x", 100000) + "\n" + dtline, true},
	{"long line that ends like it", strings.Repeat("x", 100000) + dtline, false},
	{"lines of a buffer's length", strings.Repeat("x", 16<<10) + "\n" + strings.Repeat("x", 16<<10-1) + "\n" + dtline, true},
	{"rest of a long line is a newline", strings.Repeat("x", 16<<10) + "\n" + dtline, true},
}

func TestHasLine(t *testing.T) {
	for _, c := range headers {
		for _, message := range []io.Reader{strings.NewReader(c.message), iotest.HalfReader(strings.NewReader(c.message))} {
			if got, err := hasLine(message, dtline); got != c.want || err != nil {
				t.Errorf("%s: %v %v", c.name, got, err)
			}
		}
	}
	long := "Delivered-To: " + strings.Repeat("y", 50000) + "\n"
	if got, _ := hasLine(strings.NewReader("A: b\n"+long), long); !got {
		t.Error("a line longer than the buffer")
	}
	if _, err := hasLine(iotest.ErrReader(errors.New("broken")), dtline); err == nil {
		t.Error("no error")
	}
}

// endless is a header line that does not end.
type endless struct{ left int }

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.left)
	for i := range p[:n] {
		p[i] = 'x'
	}
	e.left -= n
	return n, nil
}

// TestLongLine: a line of 100 MB takes no memory.
func TestLongLine(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if got, err := hasLine(io.MultiReader(&endless{100 << 20}, strings.NewReader("\n"+dtline)), dtline); !got || err != nil {
		t.Error(got, err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("%d bytes", grown)
	}
}

// FuzzHasLine compares with the obvious way to do it.
func FuzzHasLine(f *testing.F) {
	for _, c := range headers {
		f.Add(c.message, dtline)
	}
	f.Fuzz(func(t *testing.T, message, line string) {
		line = strings.ReplaceAll(line, "\n", "_") + "\n"
		want := false
		for _, l := range strings.SplitAfter(message, "\n") {
			if l == "\n" {
				break
			}
			want = want || l == line
		}
		if line == "\n" {
			want = false
		}
		got, err := hasLine(strings.NewReader(message), line)
		if got != want || err != nil {
			t.Errorf("%v %v, want %v", got, err, want)
		}
	})
}
