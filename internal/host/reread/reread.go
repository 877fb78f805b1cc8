// Package reread keeps what was made of a file for as long as the file stays the
// same, so that a program that lives long sees each change without reading the
// file each time.
//
// A file is the same when its device, inode, size and times are. It is kept open,
// so that no other can get its inode meanwhile: a file that was replaced by rename,
// as it should be, is always noticed. One that is overwritten in place is noticed
// by its times.
package reread

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// A File is a file and what was made of it. It is not safe for use by several
// goroutines: what Get returns is good until the next Get.
type File[T any] struct {
	Path string
	// Make makes something of the open file, which stays open until Get finds
	// another, or Close. Only regular files come here.
	Make func(f *os.File, size int64) (T, error)

	open *os.File // nil while there is nothing kept
	as   version
	made T
}

// A version tells one state of a file from another.
type version struct {
	dev, ino         uint64
	size             int64
	changed, written unix.Timespec
}

func versionOf(st *unix.Stat_t) version {
	return version{uint64(st.Dev), st.Ino, st.Size, st.Ctim, st.Mtim}
}

// Get returns what was made of the file as it is now, and whether there is one.
func (f *File[T]) Get() (made T, exists bool, err error) {
	var st unix.Stat_t
	switch err := unix.Stat(f.Path, &st); {
	case err == nil && f.open != nil && versionOf(&st) == f.as:
		return f.made, true, nil
	case err == unix.ENOENT:
		f.Close()
		return made, false, nil
	case err != nil:
		f.Close()
		return made, false, &fs.PathError{Op: "stat", Path: f.Path, Err: err}
	}
	f.Close()
	err = f.read()
	if errors.Is(err, fs.ErrNotExist) {
		return made, false, nil
	}
	if err != nil {
		f.Close()
		return made, false, err
	}
	return f.made, true, nil
}

func (f *File[T]) read() error {
	open, err := os.OpenFile(f.Path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	f.open = open
	var st unix.Stat_t
	if err := unix.Fstat(int(open.Fd()), &st); err != nil {
		return &fs.PathError{Op: "stat", Path: f.Path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return fmt.Errorf("%s is not a regular file", f.Path)
	}
	f.as = versionOf(&st)
	f.made, err = f.Make(open, st.Size)
	return err
}

// Close forgets the file.
func (f *File[T]) Close() {
	if f.open != nil {
		f.open.Close()
	}
	var nothing T
	f.open, f.made = nil, nothing
}

// Text is a Make for the text of a file of at most max bytes.
func Text(max int64) func(f *os.File, size int64) ([]byte, error) {
	return func(f *os.File, size int64) ([]byte, error) {
		if size > max {
			return nil, fmt.Errorf("%s has more than %d bytes", f.Name(), max)
		}
		text := make([]byte, size)
		_, err := io.ReadFull(f, text)
		if err != nil {
			return nil, fmt.Errorf("unable to read %s: %w", f.Name(), err)
		}
		return text, nil
	}
}
