package spool

import (
	"bytes"
	"io"
	"os"
	"testing"
)

// record is the nth one of a sequence with all kinds of lengths.
func record(n int) []byte { return bytes.Repeat([]byte{byte(n)}, (n*n*31)%9000) }

func TestStack(t *testing.T) {
	dir := t.TempDir()
	s := NewStack(dir)
	const n = 2000
	for i := range n {
		if err := s.Push(record(i)); err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 { // some come off again at once
			if got, err := s.Pop(); err != nil || !bytes.Equal(got, record(i)) {
				t.Fatalf("record %d: %d bytes, %v", i, len(got), err)
			}
		}
	}
	if s.file == nil || cap(s.memory) > 3*Memory {
		t.Errorf("file %v, %d bytes in memory", s.file, cap(s.memory))
	}
	if names, _ := os.ReadDir(dir); len(names) > 0 {
		t.Errorf("%v", names)
	}
	for i := n - 1; i >= 0; i-- {
		if i%3 == 0 {
			continue
		}
		if got, err := s.Pop(); err != nil || !bytes.Equal(got, record(i)) {
			t.Fatalf("record %d: %d bytes, %v", i, len(got), err)
		}
	}
	if _, err := s.Pop(); err != io.EOF {
		t.Error(err)
	}
	s.Close()
	s.Push(nil)
	if got, err := s.Pop(); len(got) != 0 || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestStackWithoutRoom(t *testing.T) {
	s := NewStack("/nonexistent")
	if err := s.Push(make([]byte, Memory)); err == nil {
		t.Error("no error")
	}
}

// TestStackReadError: what cannot be read back is not taken for the bottom.
func TestStackReadError(t *testing.T) {
	s := NewStack(t.TempDir())
	defer s.Close()
	for range 3 {
		if err := s.Push(make([]byte, Memory/2)); err != nil {
			t.Fatal(err)
		}
	}
	s.file.Truncate(0)
	var err error
	for err == nil {
		_, err = s.Pop()
	}
	if err == io.EOF {
		t.Error("the bottom")
	}
}

func TestAddresses(t *testing.T) {
	a := NewAddresses(t.TempDir())
	defer a.Close()
	var want []string
	for _, address := range []string{"a@b", "", "x y@z"} {
		want = append(want, address)
		if err := a.Add(address); err != nil {
			t.Fatal(err)
		}
	}
	i := 0
	err := a.Each(func(address string) {
		if address != want[i] {
			t.Errorf("%q, want %q", address, want[i])
		}
		i++
	})
	if err != nil || i != len(want) || a.Count() != 3 || a.Size() != 11 {
		t.Errorf("%v, %d addresses, %d, %d bytes", err, i, a.Count(), a.Size())
	}
	full := NewAddresses("/nonexistent")
	full.Add(string(make([]byte, Memory)))
	if err := full.Add("a"); err == nil || full.Count() != 1 {
		t.Errorf("%v, %d addresses", err, full.Count())
	}
}
