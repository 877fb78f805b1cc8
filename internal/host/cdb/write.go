package cdb

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"goqmail/internal/host/durable"
)

// A Writer makes a database. Records are written as they are added; the hash
// tables, eight bytes for each record, are kept in memory until Finish.
type Writer struct {
	f     io.WriteSeeker
	w     *bufio.Writer
	pos   uint64
	slots [tables][]slot
}

type slot struct{ hash, record uint32 }

// NewWriter begins a database at the start of an empty file.
func NewWriter(f io.WriteSeeker) (*Writer, error) {
	w := &Writer{f: f, w: bufio.NewWriterSize(f, 64<<10)}
	return w, w.write(make([]byte, headerSize))
}

// Add adds a record. A key may be added several times; Find sees the first.
func (w *Writer) Add(key string, data []byte) error {
	h := hash(key)
	record := uint32(w.pos)
	if err := w.pair(uint32(len(key)), uint32(len(data))); err != nil {
		return err
	}
	if err := w.write([]byte(key)); err != nil {
		return err
	}
	w.slots[h&255] = append(w.slots[h&255], slot{h, record})
	return w.write(data)
}

// Finish writes the hash tables and the pointers to them.
func (w *Writer) Finish() error {
	var header [headerSize]byte
	for i, list := range w.slots {
		table := make([]slot, 2*len(list))
		for _, s := range list {
			at := s.hash >> 8 % uint32(len(table))
			for table[at].record != 0 {
				at = (at + 1) % uint32(len(table))
			}
			table[at] = s
		}
		binary.LittleEndian.PutUint32(header[i*8:], uint32(w.pos))
		binary.LittleEndian.PutUint32(header[i*8+4:], uint32(len(table)))
		for _, s := range table {
			if err := w.pair(s.hash, s.record); err != nil {
				return err
			}
		}
	}
	if err := w.w.Flush(); err != nil {
		return err
	}
	if _, err := w.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := w.f.Write(header[:])
	return err
}

func (w *Writer) pair(a, b uint32) error {
	return w.write(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, a), b))
}

func (w *Writer) write(p []byte) error {
	if w.pos += uint64(len(p)); w.pos > maxFileSize {
		return fmt.Errorf("a cdb cannot be larger than %d bytes", uint64(maxFileSize))
	}
	_, err := w.w.Write(p)
	return err
}

// What Replace can fail at, for errors.Is.
var (
	ErrCreate = durable.ErrCreate
	ErrWrite  = durable.ErrWrite
	ErrMove   = durable.ErrMove
)

// Replace makes a database at temp with what fill adds, and renames it to path, as
// durable.Replace does. An error of fill is returned as it is.
func Replace(path, temp string, fill func(*Writer) error) error {
	return durable.Replace(path, temp, 0o644, func(f *os.File) error {
		w, err := NewWriter(f)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrWrite, err)
		}
		if err := fill(w); err != nil {
			return err
		}
		if err := w.Finish(); err != nil {
			return fmt.Errorf("%w: %w", ErrWrite, err)
		}
		return nil
	})
}
