package queue_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"goqmail/queue"
	"goqmail/queue/queuetest"
)

type record struct {
	kind   byte
	text   string
	offset int64
}

func readAll(r io.Reader, pos int64) (list []record, err error) {
	for records := queue.NewRecordReader(r, pos); ; {
		rec, err := records.Next()
		if err != nil {
			return list, err
		}
		list = append(list, record{rec.Kind, string(rec.Text), rec.Offset})
	}
}

func TestRecords(t *testing.T) {
	long := strings.Repeat("a", queue.MaxRecord-2)
	for _, c := range []struct {
		name, file string
		want       []record
		err        error
	}{
		{"empty", "", nil, io.EOF},
		{"an envelope", "u1000\x00p4711\x00Fs@x\x00Ta\x00Tb\x00", []record{{'u', "1000", 0}, {'p', "4711", 6}, {'F', "s@x", 12}, {'T', "a", 17}, {'T', "b", 20}}, io.EOF},
		{"no text", "F\x00", []record{{'F', "", 0}}, io.EOF},
		{"longest", "T" + long + "\x00D\x00", []record{{'T', long, 0}, {'D', "", queue.MaxRecord}}, io.EOF},
		{"too long", "T" + long + "a\x00", nil, queue.ErrRecord},
		{"far too long", "T" + strings.Repeat(long, 3), nil, queue.ErrRecord},
		{"incomplete", "Fs\x00Tr", []record{{'F', "s", 0}}, io.ErrUnexpectedEOF},
		{"no kind", "Fs\x00\x00Tr\x00", []record{{'F', "s", 0}}, queue.ErrRecord},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(c.file), iotest.HalfReader(strings.NewReader(c.file))} {
				if got, err := readAll(r, 0); !errors.Is(err, c.err) || !reflect.DeepEqual(got, c.want) {
					t.Errorf("%v, %v", got, err)
				}
			}
		})
	}
}

func TestRecordError(t *testing.T) {
	broken := errors.New("broken")
	r := io.MultiReader(strings.NewReader("Fs\x00Tr"), iotest.ErrReader(broken))
	if got, err := readAll(r, 0); len(got) != 1 || !errors.Is(err, broken) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestMarkDone(t *testing.T) {
	dir := queuetest.New(t, 23)
	q := open(t, dir)
	name := q.Name(queue.Remote, 457)
	queuetest.Put(t, dir, name, "Ta@x\x00Tb@x\x00Tc@x\x00")
	list, err := os.OpenFile(q.Path(queue.Remote, 457), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := queue.MarkDone(list, 5); err != nil {
		t.Fatal(err)
	}
	if got := queuetest.Get(t, dir, name); got != "Ta@x\x00Db@x\x00Tc@x\x00" {
		t.Errorf("%q", got)
	}
	list.Close()
	if err := queue.MarkDone(list, 0); err == nil {
		t.Error("a file that is closed was marked")
	}
}

// TestReset: a reader goes on with another file, whatever it knew of the first.
func TestReset(t *testing.T) {
	r := queue.NewRecordReader(strings.NewReader("Ta\x00Tb"), 0)
	r.Next()
	r.Next()
	r.Reset(strings.NewReader("Dc\x00"), 100)
	rec, err := r.Next()
	if err != nil || rec.Kind != 'D' || string(rec.Text) != "c" || rec.Offset != 100 {
		t.Errorf("%+v, %v", rec, err)
	}
}

// FuzzRecords: what is read is what is there, to the byte and the offset.
func FuzzRecords(f *testing.F) {
	f.Add([]byte("u1000\x00p4711\x00Fs@x\x00Ta\x00Tb\x00"))
	f.Add([]byte("F\x00\x00T"))
	f.Fuzz(func(t *testing.T, file []byte) {
		list, err := readAll(bytes.NewReader(file), 7)
		var out []byte
		for _, r := range list {
			if r.offset != int64(len(out)+7) {
				t.Fatalf("offset %d, want %d", r.offset, len(out)+7)
			}
			out = append(append(append(out, r.kind), r.text...), 0)
		}
		if !bytes.HasPrefix(file, out) || err == io.EOF && len(out) != len(file) {
			t.Errorf("%q read as %q, %v", file, out, err)
		}
	})
}
