// Package durable makes the names of files safe from a power cut. Syncing a file is
// not enough for that on Linux: that its directory names it has to be synced too.
package durable

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Directory makes the names in a directory durable. It is called for each message,
// so it does without an *os.File, which would first ask the kernel five times how the
// directory can be waited for.
func Directory(dir string) error {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(fd)
	if err := retry(func() error { return unix.Fsync(fd) }); err != nil {
		return &fs.PathError{Op: "sync", Path: dir, Err: err}
	}
	return nil
}

// retry repeats what a signal has interrupted before it did anything.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// Names makes the names in a directory durable, of which file is the path of one.
// In a directory that may be written to but not read, or on a filesystem that does
// not sync directories, it syncs the whole filesystem.
func Names(dir, file string) error {
	err := Directory(dir)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EINVAL) {
		err = filesystem(file)
	}
	return err
}

func filesystem(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	return errors.Join(os.NewSyscallError("syncfs", unix.Syncfs(int(f.Fd()))), f.Close())
}
