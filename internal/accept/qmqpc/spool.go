package qmqpc

import (
	"fmt"
	"io"
	"os"
)

// spoolMemory is how much of a spool is kept in memory, in bytes.
const spoolMemory = 1 << 20

// A spool keeps what is written to it, in memory while that is little, and then
// in a file. Its errors are ErrSpool.
type spool struct {
	dir    string
	size   int64
	memory []byte
	file   *os.File
	failed error
}

func (s *spool) Write(p []byte) (int, error) {
	if s.failed == nil {
		s.failed = s.write(p)
	}
	if s.failed != nil {
		return 0, s.failed
	}
	s.size += int64(len(p))
	return len(p), nil
}

// write collects what comes, and moves it to the file when that is too much.
func (s *spool) write(p []byte) error {
	if len(s.memory)+len(p) > spoolMemory {
		if err := s.flush(); err != nil {
			return err
		}
	}
	s.memory = append(s.memory, p...)
	return nil
}

func (s *spool) flush() error {
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "qmail-qmqpc-")
		if err != nil {
			return fmt.Errorf("%w: %w", ErrSpool, err)
		}
		s.file = f
		if err := os.Remove(f.Name()); err != nil {
			return fmt.Errorf("%w: %w", ErrSpool, err)
		}
	}
	if _, err := s.file.Write(s.memory); err != nil {
		return fmt.Errorf("%w: %w", ErrSpool, err)
	}
	s.memory = s.memory[:0]
	return nil
}

// writeTo writes all of it to w.
func (s *spool) writeTo(w io.Writer) error {
	if s.file != nil {
		if _, err := s.file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.Copy(w, s.file); err != nil {
			return err
		}
	}
	_, err := w.Write(s.memory)
	return err
}

func (s *spool) Close() {
	if s.file != nil {
		s.file.Close()
	}
}
