// Package powercut cuts the power of a disk at every moment that matters in the
// life of a program, and lets a test look at what is left.
//
//	disk := powercut.NewDisk(t, powercut.Ext4, dir)
//	disk.Sweep(powercut.LoseAll, start, func(accepted bool) { ... })
//
// A Disk is a filesystem of its own in an image, mounted at a directory: ext4 or
// xfs. Btrfs has no such switch in Linux. Sweep starts a program over and over, stops all of it where it is about to make
// its first durable system call, the second, the third and so on up to its end,
// shuts the filesystem down without writing anything more, mounts it again so
// that the journal recovers, and calls the check. A durable call is one that
// changes what a disk holds or promises: write, fsync, link, rename, unlink,
// creation and the like; and exit, for with it a program says "accepted". Calls
// are counted over all threads and processes in the order in which they come.
//
// It needs root, loop devices and mkfs of the filesystem, and skips the test without
// them. The mount is made in whatever mount namespace the test is in; package site
// gives it a private one.
package powercut

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Mode is what survives a cut besides what was synced.
type Mode uint32

// The modes, as the kernel's ioctl has them.
const (
	KeepJournal Mode = 1 // names of files do, their contents do not
	LoseAll     Mode = 2 // nothing does
)

func (m Mode) String() string {
	if m == KeepJournal {
		return "journal kept"
	}
	return "all lost"
}

// A Kind is a filesystem that can be shut down.
type Kind string

// The kinds.
const (
	Ext4 Kind = "ext4"
	XFS  Kind = "xfs"
)

// making says how one is made, its smallest size in bytes that serves, and how it is
// mounted: ext4 without what it does for programs that rename without a sync.
var making = map[Kind]struct {
	command []string
	size    int64
	options string
}{
	Ext4: {[]string{"mkfs.ext4", "-q", "-F"}, 32 << 20, "loop,noauto_da_alloc"},
	XFS:  {[]string{"mkfs.xfs", "-q", "-f"}, 300 << 20, "loop"}, // and no smaller one can be made
}

// A Disk is a filesystem with a power switch.
type Disk struct {
	t     *testing.T
	kind  Kind
	dir   string
	image string

	Every int   // when not 0, Sweep leaves all moments out but each Every-th
	With  *Disk // when not nil, another one that loses and gets its power at the same time
}

// NewDisk makes a new filesystem and mounts it at a directory until the test
// ends. Whoever may do what in the directory is up to the caller.
func NewDisk(t *testing.T, k Kind, dir string) *Disk {
	t.Helper()
	d := &Disk{t: t, kind: k, dir: dir, image: filepath.Join(t.TempDir(), "disk")}
	if os.Geteuid() != 0 {
		t.Skip("needs root: it mounts a filesystem")
	}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, making[k].size); err != nil {
		t.Fatal(err)
	}
	mkfs := making[k].command
	if out, err := exec.Command(mkfs[0], append(mkfs[1:], d.image)...).CombinedOutput(); err != nil {
		t.Skipf("needs %s: %v %s", mkfs[0], err, out)
	}
	if out, err := d.mount(); err != nil {
		t.Skipf("needs loop devices and %s: %v %s", k, err, out)
	}
	t.Cleanup(func() { unix.Unmount(d.dir, unix.MNT_DETACH) })
	return d
}

func (d *Disk) mount() ([]byte, error) {
	return exec.Command("mount", "-o", making[d.kind].options, d.image, d.dir).CombinedOutput()
}

// Cut cuts the power: from now on nothing reaches the disk, and every call that
// needs it fails.
func (d *Disk) Cut(m Mode) {
	d.t.Helper()
	if d.With != nil {
		d.With.Cut(m)
	}
	const shutdown = 0x8004587d // EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN, on every architecture that Go and they share
	f, err := os.Open(d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), shutdown, int(m)); err != nil {
		d.t.Fatalf("unable to cut the power: %v", err)
	}
}

// Restart brings the power back: the filesystem recovers what it can.
func (d *Disk) Restart() {
	d.t.Helper()
	if d.With != nil {
		d.With.Restart()
	}
	err := unix.Unmount(d.dir, 0)
	for end := time.Now().Add(10 * time.Second); err == unix.EBUSY && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond) // processes that were killed are not gone yet
		err = unix.Unmount(d.dir, 0)
	}
	if err != nil {
		d.t.Fatalf("unable to unmount after the cut: %v", err)
	}
	if out, err := d.mount(); err != nil {
		d.t.Fatalf("unable to mount after the cut: %v %s", err, out)
	}
}

// Sweep cuts the power at each durable call, or fewer by Every, of a program that start
// describes afresh each time. The check is told whether the program had said success, by
// exit code 0, before the cut. Sweep returns how many moments there were; at the
// last one, after its end, the program must have succeeded.
func (d *Disk) Sweep(m Mode, start func() Command, check func(accepted bool)) int {
	d.t.Helper()
	for n := 1; ; n += max(d.Every, 1) {
		run, err := start().Trace(n, func() { d.Cut(m) })
		if err != nil {
			d.t.Fatal(err)
		}
		if run.Stopped == "" {
			d.Cut(m)
		}
		d.Restart()
		check(run.Accepted)
		if d.t.Failed() {
			d.t.Fatalf("the power was cut at call %d, %s", n, run.Stopped)
		}
		if run.Stopped == "" {
			if !run.Accepted {
				d.t.Fatal("the program did not succeed when it was left alone")
			}
			return n
		}
	}
}
