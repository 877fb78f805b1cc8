// Package spool keeps what a program has to have whole before it can go on: a
// little of it in memory, and more in a file without a name, which is gone with the
// program.
package spool

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// Memory is how much is kept in memory, in bytes.
const Memory = 1 << 20

// A Spool keeps what is written to it.
type Spool struct {
	dir    string
	memory []byte // what follows
	stored int64  // bytes of
	file   *os.File
}

// New makes an empty spool, whose file is made in a directory when it is needed.
func New(dir string) *Spool { return &Spool{dir: dir} }

// Write adds all of p, or, if there is an error, nothing: what was there before is
// still complete then.
func (s *Spool) Write(p []byte) (int, error) {
	if len(s.memory) > 0 && len(s.memory)+len(p) > Memory {
		if err := s.store(); err != nil {
			return 0, fmt.Errorf("unable to write temporary file: %w", err)
		}
	}
	s.memory = append(s.memory, p...)
	return len(p), nil
}

// store moves what is in memory to the file.
func (s *Spool) store() (err error) {
	if s.file == nil {
		if s.file, err = unnamed(s.dir); err != nil {
			return err
		}
	}
	if _, err := s.file.WriteAt(s.memory, s.stored); err != nil {
		return err
	}
	s.stored += int64(len(s.memory))
	s.memory = s.memory[:0]
	return nil
}

// Size is how much has been written, in bytes.
func (s *Spool) Size() int64 { return s.stored + int64(len(s.memory)) }

// Reader reads it all from the beginning. Nothing must be written while it does.
func (s *Spool) Reader() io.Reader {
	memory := bytes.NewReader(s.memory)
	if s.file == nil {
		return memory
	}
	return io.MultiReader(io.NewSectionReader(s.file, 0, s.stored), memory)
}

// Reset forgets what has been written, and keeps the space for what will be.
func (s *Spool) Reset() { s.memory, s.stored = s.memory[:0], 0 }

// Close gives up the space.
func (s *Spool) Close() {
	if s.file != nil {
		s.file.Close()
	}
	*s = Spool{dir: s.dir}
}

// unnamed makes a file without a name.
func unnamed(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "goqmail-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
