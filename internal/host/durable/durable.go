// Package durable makes the names of files safe from a power cut. Syncing a file is
// not enough for that on Linux: that its directory names it has to be synced too.
package durable

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Directory makes the names in a directory durable.
func Directory(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
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
