package spool

import (
	"bytes"
	"io"
	"os"
	"testing"
)

func read(t *testing.T, s *Spool) []byte {
	t.Helper()
	got, err := io.ReadAll(s.Reader())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestSpool(t *testing.T) {
	dir := t.TempDir()
	s := New(dir)
	var want []byte
	for i := 0; i < 100; i++ {
		piece := bytes.Repeat([]byte{byte(i)}, i*1000)
		want = append(want, piece...)
		if n, err := s.Write(piece); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
	}
	for range 2 {
		if got := read(t, s); !bytes.Equal(got, want) || s.Size() != int64(len(want)) {
			t.Fatalf("%d bytes of %d, %d", len(got), len(want), s.Size())
		}
	}
	if s.file == nil || cap(s.memory) > 2*Memory {
		t.Errorf("file %v, %d bytes in memory", s.file, cap(s.memory))
	}
	if names, _ := os.ReadDir(dir); len(names) > 0 {
		t.Errorf("%v", names)
	}
	for _, forget := range []func(){s.Reset, s.Close} {
		forget()
		s.Write([]byte("again"))
		if got := read(t, s); string(got) != "again" {
			t.Errorf("%q", got)
		}
	}
}

func TestFailedWriteKeepsTheRest(t *testing.T) {
	s := New("/nonexistent")
	first := bytes.Repeat([]byte("x"), Memory)
	s.Write(first)
	if _, err := s.Write([]byte("y")); err == nil {
		t.Error("no error")
	}
	if got := read(t, s); !bytes.Equal(got, first) {
		t.Errorf("%d bytes", len(got))
	}
	s.dir = t.TempDir()
	if _, err := s.Write([]byte("y")); err != nil {
		t.Error(err)
	}
	if got := read(t, s); !bytes.Equal(got, append(first, 'y')) {
		t.Errorf("%d bytes", len(got))
	}
}
