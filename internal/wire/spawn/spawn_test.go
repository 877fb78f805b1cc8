package spawn

import (
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func TestCommands(t *testing.T) {
	long := strings.Repeat("x", MaxField)
	for _, c := range []struct {
		name, in string
		want     []Command
	}{
		{"nothing", "", nil},
		{"one", "\x0719/457\x00s@a\x00r@b\x00", []Command{{Delivery: 7, Message: "19/457", Sender: "s@a", Recipient: "r@b"}}},
		{"delivery 0, empty fields", "\x00\x00\x00\x00", []Command{{}}},
		{"two", "\xff1/1\x00\x00r\x00\x011/2\x00s\x00\x00", []Command{
			{Delivery: 255, Message: "1/1", Recipient: "r"},
			{Delivery: 1, Message: "1/2", Sender: "s"},
		}},
		{"the last is cut off", "\x011/1\x00s\x00r\x00\x011/1\x00s\x00r", []Command{{Delivery: 1, Message: "1/1", Sender: "s", Recipient: "r"}}},
		{"only a number", "\x01", nil},
		{"as long as can be", "\x01" + long + "\x00" + long + "\x00" + long + "\x00", []Command{{Delivery: 1, Message: long, Sender: long, Recipient: long}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in))} {
				got, err := readAll(NewCommands(r, Classic).Next)
				if err != io.EOF || !reflect.DeepEqual(got, c.want) {
					t.Errorf("got %v, %v, want %v", got, err, c.want)
				}
			}
		})
	}
}

// TestTooLong: a field that is too long spoils its command and no other.
func TestTooLong(t *testing.T) {
	long := strings.Repeat("x", MaxField+1)
	for _, c := range []Command{{Message: long}, {Sender: long}, {Recipient: long + long}} {
		in := Command{Delivery: 1, Message: "1/1"}.Append(c.Append(nil, Wide), Wide)
		got, err := readAll(NewCommands(strings.NewReader(string(in)), Wide).Next)
		if err != io.EOF || len(got) != 2 || !got[0].TooLong || got[1] != (Command{Delivery: 1, Message: "1/1"}) {
			t.Errorf("%d commands, %v", len(got), err)
		}
	}
}

func TestReports(t *testing.T) {
	for _, c := range []struct {
		name, in string
		limit    uint32
		want     []Report
	}{
		{"only the limit", "x", 120, nil},
		{"two", "\xff\x03Kdid\n\x00\x00Zlater\n\x00", 255, []Report{{3, "Kdid\n"}, {0, "Zlater\n"}}},
		{"empty text", "\x01\x00\x00\x00\x00", 1, []Report{{0, ""}, {0, ""}}},
		{"the last is cut off", "\x01\x01K\x00\x02D", 1, []Report{{1, "K"}}},
		{"cut", "\x01\x05" + strings.Repeat("y", MaxText+1) + "\x00\x06K\x00", 1, []Report{{5, strings.Repeat("y", MaxText)}, {6, "K"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewReports(strings.NewReader(c.in), Classic)
			limit, err := r.Limit()
			if err != nil || limit != c.limit {
				t.Fatalf("limit %d, %v, want %d", limit, err, c.limit)
			}
			got, err := readAll(r.Next)
			if err != io.EOF || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}
	if _, err := NewReports(strings.NewReader(""), Classic).Limit(); err != io.EOF {
		t.Errorf("no limit: %v", err)
	}
}

// TestReady: a report that has come is told from one that has come in part.
func TestReady(t *testing.T) {
	for _, c := range []struct {
		width Width
		in    string
		want  []bool // before each report
	}{
		{Classic, "\x78\x00K\x00\x00Z\x00", []bool{false, true, true}},
		{Classic, "\x78\x00\x00\x00\x00\x07D", []bool{false, true, true, false}},
		{Wide, "\x00\x00\x00\x78\x00\x00\x01\x00K\x00\x00\x00\x00\x00\x00\x00\x00\x01", []bool{false, true, true, false}},
	} {
		r := NewReports(strings.NewReader(c.in), c.width)
		for i, want := range c.want {
			if got := r.Ready(); got != want {
				t.Errorf("%q: ready %v before report %d", c.in, got, i)
			}
			if i == 0 {
				r.Limit()
			} else {
				r.Next()
			}
		}
	}
}

// TestCommandsReady: the same of commands.
func TestCommandsReady(t *testing.T) {
	for _, c := range []struct {
		width Width
		in    string
		want  []bool // before each command
	}{
		{Classic, "\x071\x00s\x00r\x00\x08\x00\x00\x00", []bool{false, true, false}},
		{Classic, "\x071\x00s\x00r\x00\x081\x00s\x00r", []bool{false, false}},
		{Classic, "\x071\x00s\x00r\x00\x00\x00\x00", []bool{false, false}},
		{Wide, "\x00\x00\x00\x001\x00s\x00r\x00\x00\x00\x00\x01\x00\x00\x00", []bool{false, true, false}},
		{Wide, "\x00\x00\x00\x001\x00s\x00r\x00\x00\x00\x00", []bool{false, false}},
	} {
		r := NewCommands(strings.NewReader(c.in), c.width)
		for i, want := range c.want {
			if got := r.Ready(); got != want {
				t.Errorf("%q: ready %v before command %d", c.in, got, i)
			}
			r.Next()
		}
	}
}

func TestNULIsCut(t *testing.T) {
	if got := (Report{1, "Ka\x00b"}).Append(nil, Classic); string(got) != "\x01Ka\x00" {
		t.Errorf("%q", got)
	}
}

// TestWide: with wide numbers, what one side writes the other reads.
func TestWide(t *testing.T) {
	c := Command{Delivery: 0x01020304, Message: "1/2", Sender: "s", Recipient: "r"}
	in := c.Append(nil, Wide)
	if want := "\x01\x02\x03\x041/2\x00s\x00r\x00"; string(in) != want {
		t.Errorf("%q, want %q", in, want)
	}
	got, err := readAll(NewCommands(strings.NewReader(string(in)), Wide).Next)
	if err != io.EOF || len(got) != 1 || got[0] != c {
		t.Errorf("%v, %v", got, err)
	}
	r := NewReports(strings.NewReader(string(Report{70000, "K"}.Append(Wide.AppendLimit(nil, 100000), Wide))), Wide)
	if limit, err := r.Limit(); limit != 100000 || err != nil {
		t.Errorf("limit %d, %v", limit, err)
	}
	if report, err := r.Next(); report != (Report{70000, "K"}) || err != nil {
		t.Errorf("%v, %v", report, err)
	}
}

func readAll[T any](next func() (T, error)) ([]T, error) {
	var all []T
	for {
		x, err := next()
		if err != nil {
			return all, err
		}
		all = append(all, x)
	}
}

func FuzzCommands(f *testing.F) {
	f.Add([]byte("\x0719/457\x00s@a\x00r@b\x00\x011"), false)
	f.Add([]byte("\x00\x00\x00\x00"), true)
	f.Add([]byte("\x00\x00\x00\x00\x00\x00"), true) // ends within a number
	f.Fuzz(func(t *testing.T, in []byte, wide bool) {
		width := Classic
		if wide {
			width = Wide
		}
		all, err := readAll(NewCommands(strings.NewReader(string(in)), width).Next)
		if err != io.EOF {
			t.Fatal(err)
		}
		var out []byte
		for _, c := range all {
			if c.TooLong {
				return
			}
			out = c.Append(out, width)
		}
		if !strings.HasPrefix(string(in), string(out)) {
			t.Errorf("%q read as %q", in, out)
		}
	})
}

func FuzzReports(f *testing.F) {
	f.Add([]byte("x\x03Kdid\n\x00\x00Zlater\n\x00"), false)
	f.Add([]byte("\x00\x00\x00\x00"), true)
	f.Add([]byte("\x00\x00\x00\x00\x00\x00"), true) // ends within a number
	f.Fuzz(func(t *testing.T, in []byte, wide bool) {
		width := Classic
		if wide {
			width = Wide
		}
		r := NewReports(strings.NewReader(string(in)), width)
		if _, err := r.Limit(); err != nil {
			return
		}
		all, err := readAll(r.Next)
		if err != io.EOF {
			t.Fatal(err)
		}
		out := in[:width:width]
		for _, x := range all {
			if len(x.Text) >= MaxText {
				return
			}
			out = x.Append(out, width)
		}
		if !strings.HasPrefix(string(in), string(out)) {
			t.Errorf("%q read as %q", in, out)
		}
	})
}
