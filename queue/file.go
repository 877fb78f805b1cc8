package queue

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// A File is a file of a new message, for writing. It is a descriptor and no more: an
// *os.File asks the kernel for each file whether it can be waited for, which no file
// on a disk can, and that is most of the system calls of a small message. It is for
// one goroutine.
type File struct {
	fd   int
	path string
}

// open opens a file or a directory.
func open(path string, flags int, mode uint32) (*File, error) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, mode)
		switch err {
		case nil:
			return &File{fd, path}, nil
		case unix.EINTR:
		default:
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

// number is the inode number of the file.
func (f *File) number() (Number, error) {
	st, err := f.stat()
	return Number(st.Ino), err
}

// there tells whether the file has still a name.
func (f *File) there() error {
	st, err := f.stat()
	if err == nil && st.Nlink == 0 {
		err = f.error("stat", unix.ENOENT)
	}
	return err
}

func (f *File) stat() (st unix.Stat_t, err error) {
	err = f.error("stat", unix.Fstat(f.fd, &st))
	return st, err
}

// name gives a file that has no name one that nothing has yet.
func (f *File) name(path string) error {
	own := "/proc/self/fd/" + strconv.Itoa(f.fd)
	if err := unix.Linkat(unix.AT_FDCWD, own, unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW); err != nil {
		return &os.LinkError{Op: "link", Old: own, New: path, Err: err}
	}
	f.path = path
	return nil
}

// Write writes all of p, or says why it cannot.
func (f *File) Write(p []byte) (n int, err error) {
	for n < len(p) {
		written, err := unix.Write(f.fd, p[n:])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return n, f.error("write", err)
		case written == 0:
			return n, f.error("write", io.ErrShortWrite)
		default:
			n += written
		}
	}
	return n, nil
}

// WriteString is Write for a string.
func (f *File) WriteString(s string) (n int, err error) { return f.Write([]byte(s)) }

// Sync makes the contents durable. It is not to be tried again when it fails.
func (f *File) Sync() error { return f.error("sync", retry(func() error { return unix.Fsync(f.fd) })) }

func (f *File) truncate() error {
	return f.error("truncate", retry(func() error { return unix.Ftruncate(f.fd, 0) }))
}

// Close closes the file. What is done with it later fails.
func (f *File) Close() error {
	err := unix.Close(f.fd)
	f.fd = -1
	return f.error("close", err)
}

// retry repeats what a signal has interrupted before it did anything.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func (f *File) error(op string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: f.path, Err: err}
}
