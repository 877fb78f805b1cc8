package queue

import (
	"errors"
	"os"
)

// SyncDir makes the names in a directory durable. A failed sync is not to be
// tried again: what it should have written may be gone for good.
func SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncAll issues several syncs at the same time, so that the filesystem can do
// them in one commit.
func syncAll(syncs ...func() error) error {
	done := make(chan error, len(syncs))
	for _, sync := range syncs {
		go func() { done <- sync() }()
	}
	var all error
	for range syncs {
		all = errors.Join(all, <-done)
	}
	return all
}

// SyncAll makes files and directories durable, all at the same time. The files
// are open; the directories are named.
func SyncAll(files []*os.File, dirs []string) error {
	var syncs []func() error
	for _, f := range files {
		syncs = append(syncs, f.Sync)
	}
	for _, d := range dirs {
		syncs = append(syncs, func() error { return SyncDir(d) })
	}
	return syncAll(syncs...)
}
