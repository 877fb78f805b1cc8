package cdb

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cdb")
	const n = 3000
	err := Replace(path, path+".tmp", func(w *Writer) error {
		for i := range n {
			if err := w.Add(fmt.Sprint("key", i), []byte(fmt.Sprint("data", i))); err != nil {
				return err
			}
		}
		return errors.Join(w.Add("", []byte("empty key")), w.Add("key7", []byte("second")), w.Add("none", nil))
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	want := map[string]string{"": "empty key", "none": "", "key7": "data7"}
	for i := range n {
		want[fmt.Sprint("key", i)] = fmt.Sprint("data", i)
	}
	for key, data := range want {
		if got, found, err := r.Find(key); err != nil || !found || string(got) != data {
			t.Fatalf("%q: %q, %v, %v", key, got, found, err)
		}
	}
	if _, found, err := r.Find("missing"); found || err != nil {
		t.Errorf("missing: %v, %v", found, err)
	}
	if _, err := os.Stat(path + ".tmp"); err == nil {
		t.Error("the temporary file is still there")
	}
}

func TestBroken(t *testing.T) {
	for name, file := range map[string]string{
		"empty": "", "short": "abc", "ones": string(bytes.Repeat([]byte{1}, 4096)), "all bits": string(bytes.Repeat([]byte{255}, 4096)),
	} {
		_, found, err := NewReader(bytes.NewReader([]byte(file)), int64(len(file))).Find("key")
		if found || !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
}

func FuzzFind(f *testing.F) {
	var b writeSeeker
	w, _ := NewWriter(&b)
	w.Add("key", []byte("data"))
	w.Finish()
	f.Add(b.b, "key")
	f.Fuzz(func(t *testing.T, file []byte, key string) {
		NewReader(bytes.NewReader(file), int64(len(file))).Find(key)
	})
}

type writeSeeker struct {
	b   []byte
	pos int
}

func (w *writeSeeker) Write(p []byte) (int, error) {
	w.b = append(w.b[:w.pos], append(p[:len(p):len(p)], w.b[min(len(w.b), w.pos+len(p)):]...)...)
	w.pos += len(p)
	return len(p), nil
}

func (w *writeSeeker) Seek(offset int64, _ int) (int64, error) {
	w.pos = int(offset)
	return offset, nil
}
