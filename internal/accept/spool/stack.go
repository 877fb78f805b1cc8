package spool

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// block is what a stack moves to its file, or back, at once, in bytes.
const block = Memory / 2

// lengthSize is the length of a record's length, in bytes.
const lengthSize = 4

// A Stack keeps records and gives the last one back first. The top of it is in
// memory, and what is below in a file without a name. A record is followed by its
// length, so that it can be found from its end.
type Stack struct {
	dir    string
	memory []byte // the top
	stored int64  // bytes in
	file   *os.File
}

// NewStack makes an empty stack, whose file is made in a directory when it is
// needed.
func NewStack(dir string) *Stack { return &Stack{dir: dir} }

// Push puts a record on top, of at most Memory bytes.
func (s *Stack) Push(record []byte) error {
	s.memory = append(s.memory, record...)
	s.memory = binary.BigEndian.AppendUint32(s.memory, uint32(len(record)))
	for len(s.memory) > Memory {
		if err := s.store(); err != nil {
			return fmt.Errorf("unable to write temporary file: %w", err)
		}
	}
	return nil
}

// Pop takes the record on top, which is good until the next call of a method. The
// error is io.EOF where there is none.
func (s *Stack) Pop() ([]byte, error) {
	if len(s.memory) == 0 && s.stored == 0 {
		return nil, io.EOF
	}
	size, err := s.cut(lengthSize)
	if err != nil {
		return nil, err
	}
	return s.cut(int(binary.BigEndian.Uint32(size)))
}

// cut takes the last n bytes.
func (s *Stack) cut(n int) ([]byte, error) {
	for len(s.memory) < n {
		if err := s.load(); err != nil {
			return nil, fmt.Errorf("unable to read temporary file: %w", err)
		}
	}
	rest := len(s.memory) - n
	last := s.memory[rest:]
	s.memory = s.memory[:rest]
	return last, nil
}

// store moves the lower part of what is in memory to the file.
func (s *Stack) store() (err error) {
	if s.file == nil {
		if s.file, err = unnamed(s.dir); err != nil {
			return err
		}
	}
	if _, err := s.file.WriteAt(s.memory[:block], s.stored); err != nil {
		return err
	}
	s.stored += block
	s.memory = append(s.memory[:0], s.memory[block:]...)
	return nil
}

// load moves the upper part of the file back to memory.
func (s *Stack) load() error {
	size := min(block, s.stored)
	if size == 0 {
		return io.ErrUnexpectedEOF
	}
	memory := make([]byte, size, Memory+block)
	if _, err := s.file.ReadAt(memory, s.stored-size); err != nil {
		return err
	}
	s.stored -= size
	s.memory = append(memory, s.memory...)
	return nil
}

// Reset forgets all records, and keeps the space for others.
func (s *Stack) Reset() { s.memory, s.stored = s.memory[:0], 0 }

// Close gives up the space.
func (s *Stack) Close() {
	if s.file != nil {
		s.file.Close()
	}
	*s = Stack{dir: s.dir}
}
