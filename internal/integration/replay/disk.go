package replay

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Filesystem is a kind of it.
type Filesystem struct {
	Name    string
	mkfs    []string
	size    int64  // of the image
	options string // to mount
	whole   []span // what no power cut tears
	// A sync of a file or a directory keeps what was done to it, but not what was done
	// before it to others: after a power cut the removal of one name may be done and that
	// of another before it not.
	unordered bool
}

// A span is a part of a disk, in bytes.
type span struct{ from, to int64 }

// The filesystems. ext4 and btrfs write their superblocks in place, under one checksum over
// more than a sector: a disk that tears them has no filesystem any more, whatever was on it.
var (
	Ext4 = Filesystem{Name: "ext4", mkfs: []string{"mkfs.ext4", "-q", "-F", "-b", "4096"}, size: 64 << 20,
		whole: []span{{1024, 2048}}}
	// The smallest that mkfs.xfs makes.
	XFS = Filesystem{Name: "xfs", mkfs: []string{"mkfs.xfs", "-q", "-f"}, size: 300 << 20, options: "nouuid"}
	// There is something to discard on a loop device.
	Btrfs = Filesystem{Name: "btrfs", mkfs: []string{"mkfs.btrfs", "-q", "-f"}, size: 128 << 20, options: "nodiscard", unordered: true,
		whole: []span{{64 << 10, 64<<10 + 4096}, {64 << 20, 64<<20 + 4096}}}
)

// A Disk is a place for an image, and a directory where it is mounted.
type Disk struct {
	t      *testing.T
	kind   Filesystem
	dir    string
	work   string // a filesystem in memory with the images and the log
	device string // that is mounted
}

// NewDisk makes a disk, to be mounted at a directory, until the test ends.
func NewDisk(t *testing.T, kind Filesystem, dir string) *Disk {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it mounts a filesystem")
	}
	if _, err := exec.LookPath(kind.mkfs[0]); err != nil {
		t.Skipf("needs %s: %v", kind.mkfs[0], err)
	}
	for _, device := range []string{"/dev/fuse", "/dev/loop-control"} {
		if f, err := os.OpenFile(device, os.O_RDWR, 0); err != nil {
			t.Skipf("needs %s: %v", device, err)
		} else {
			f.Close()
		}
	}
	d := &Disk{t: t, kind: kind, dir: dir, work: t.TempDir()}
	d.must(os.MkdirAll(dir, 0o755))
	d.must(unix.Mount("replay", d.work, "tmpfs", 0, "mode=0700"))
	t.Cleanup(func() { unix.Unmount(d.work, unix.MNT_DETACH) })
	return d
}

func (d *Disk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatalf("%s: %v", d.kind.Name, err)
	}
}

// mount mounts what is in a file.
func (d *Disk) mount(file *os.File, direct bool) error {
	device, err := attach(file, direct)
	if err != nil {
		return err
	}
	defer device.Close()
	d.device = device.Name()
	if err := unix.Mount(d.device, d.dir, d.kind.Name, 0, d.kind.options); err != nil {
		return fmt.Errorf("mount %s at %s: %w", d.device, d.dir, err)
	}
	return nil
}

// unmount unmounts the filesystem, and waits until nothing uses the device any more.
func (d *Disk) unmount() error {
	if err := Unmount(d.dir); err != nil {
		return err
	}
	attached := filepath.Join("/sys/block", filepath.Base(d.device), "loop")
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(attached); os.IsNotExist(err) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s is in use after all of it was unmounted", d.device)
		}
	}
}

// patience is how long what was killed or closed may take to go.
const patience = 10 * time.Second

// Unmount unmounts something, once processes that were killed are gone.
func Unmount(path string) error {
	err := unix.Unmount(path, 0)
	for end := time.Now().Add(patience); err == unix.EBUSY && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
		err = unix.Unmount(path, 0)
	}
	if err != nil {
		return fmt.Errorf("unmount %s: %w", path, err)
	}
	return nil
}

// file makes a file in memory.
func (d *Disk) file(name string, flags int) *os.File {
	d.t.Helper()
	f, err := os.OpenFile(filepath.Join(d.work, name), os.O_RDWR|os.O_CREATE|os.O_TRUNC|flags, 0o600)
	d.must(err)
	return f
}

// A Recording is a disk in use.
type Recording struct {
	d      *Disk
	base   image    // what was there in the beginning
	log    *os.File // all writes go to its end
	served string   // the file that the server has
	server *exec.Cmd
}

// Record makes a new filesystem, mounts it, and logs what is written to it.
func (d *Disk) Record() *Recording {
	d.t.Helper()
	disk := d.file("disk", 0)
	defer disk.Close()
	d.must(disk.Truncate(d.kind.size))
	if out, err := exec.Command(d.kind.mkfs[0], append(d.kind.mkfs[1:], disk.Name())...).CombinedOutput(); err != nil {
		d.t.Fatalf("%v: %v %s", d.kind.mkfs, err, out)
	}
	base, err := readImage(disk)
	d.must(err)
	r := &Recording{d: d, base: base, log: d.file("log", os.O_APPEND), served: filepath.Join(d.work, "served")}
	r.serve(disk)
	file, err := os.OpenFile(r.served, os.O_RDWR, 0)
	d.must(err)
	defer file.Close()
	d.must(d.mount(file, true))
	d.t.Cleanup(func() { unix.Unmount(d.dir, unix.MNT_DETACH) })
	return r
}

// serve mounts the file and starts its server, the only one that then has the descriptor.
func (r *Recording) serve(disk *os.File) {
	r.d.t.Helper()
	r.d.must(os.WriteFile(r.served, nil, 0o600))
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	r.d.must(err)
	defer device.Close()
	options := fmt.Sprintf("fd=%d,rootmode=%o,user_id=0,group_id=0", device.Fd(), unix.S_IFREG|0o600)
	r.d.must(unix.Mount("replay", r.served, "fuse.replay", 0, options))
	r.d.t.Cleanup(func() { unix.Unmount(r.served, unix.MNT_DETACH) })
	r.server = exec.Command("/proc/self/exe", serverArgument)
	r.server.Stderr = os.Stderr
	r.server.ExtraFiles = []*os.File{device, disk, r.log}
	r.d.must(r.server.Start())
}

// serverArgument makes a server of the test binary.
const serverArgument = "replay-server"

// Main comes first in the TestMain of a package with such tests: the server is the same
// binary, and comes no further.
func Main() {
	if len(os.Args) != 2 || os.Args[1] != serverArgument {
		return
	}
	if err := serve(3, os.NewFile(4, "disk"), os.NewFile(5, "log")); err != nil {
		fmt.Fprintln(os.Stderr, "replay server:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Mark notes something in the log that has been seen.
func (r *Recording) Mark(text string) {
	r.d.t.Helper()
	r.d.must(writeEvent(r.log, Event{Kind: Mark, Data: []byte(text)}))
}

// Stop ends the recording and returns what was logged until now.
func (r *Recording) Stop() *Log {
	r.d.t.Helper()
	info, err := r.log.Stat()
	r.d.must(err)
	r.d.must(r.d.unmount())
	r.d.must(Unmount(r.served))
	if err := r.server.Wait(); err != nil {
		r.d.t.Fatalf("server: %v", err)
	}
	events, err := readEvents(io.NewSectionReader(r.log, 0, info.Size()))
	r.d.must(err)
	r.log.Close()
	return &Log{base: r.base, Events: events}
}

// Each mounts each state at the directory, calls the test, and unmounts it.
func (d *Disk) Each(l *Log, states []State, look func(State)) {
	d.t.Helper()
	states = slices.SortedFunc(slices.Values(states), func(a, b State) int { return a.Flush - b.Flush })
	file := d.file("state", 0)
	defer file.Close()
	now, at := l.base.clone(), 0
	for _, s := range states {
		for ; at < s.Flush; at++ {
			if e := l.Events[at]; e.Kind == Write {
				now.write(e.Offset, e.Data)
			}
		}
		d.must(now.writeTo(file, d.kind.size))
		for _, p := range s.Kept {
			e := l.Events[p.Event]
			_, err := file.WriteAt(e.Data[p.From:p.To], e.Offset+int64(p.From))
			d.must(err)
		}
		if err := d.mount(file, false); err != nil {
			d.t.Fatalf("%v: %v", s, err)
		}
		func() {
			defer func() { // also where the test ends here
				if err := d.unmount(); err != nil {
					d.t.Fatalf("%v: %v", s, err)
				}
			}()
			look(s)
		}()
	}
}
