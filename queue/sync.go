package queue

import (
	"sync"

	"golang.org/x/sys/unix"

	"goqmail/internal/host/durable"
)

// SyncDir makes the names in a directory durable. A failed sync is not to be
// tried again: what it should have written may be gone for good.
func SyncDir(dir string) error { return durable.Directory(dir) }

// atOnce is how many syncs are issued at the same time. Each holds a thread.
const atOnce = 16

// SyncTogether issues several syncs at the same time, so that the filesystem can
// do them in one commit, and returns their errors in the order of the syncs.
func SyncTogether(syncs ...func() error) []error {
	failed := make([]error, len(syncs))
	slots := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	for i, sync := range syncs {
		if i == len(syncs)-1 { // here as well as anywhere
			failed[i] = sync()
			break
		}
		slots <- struct{}{}
		running.Go(func() {
			failed[i] = sync()
			<-slots
		})
	}
	running.Wait()
	return failed
}

// SyncDirectory makes the names in the directory of a message's file durable,
// together with what other goroutines want synced there.
func (q *Queue) SyncDirectory(k Kind, n Number) error {
	dir := q.directory(k, n)
	return q.syncs.Sync(dir, func() error { return SyncDir(dir) })
}

// Ordered tells whether the filesystem of the queue is known to keep the order of what is
// done in different directories: that after a power cut nothing is there without what was
// done before it. Those with one journal for all do; btrfs keeps what was synced without
// what was done before elsewhere.
func (q *Queue) Ordered() bool {
	var st unix.Statfs_t
	if unix.Statfs(q.dir, &st) != nil {
		return false
	}
	switch st.Type {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.TMPFS_MAGIC: // ext2 and ext3 have the first, too
		return true
	}
	return false
}
