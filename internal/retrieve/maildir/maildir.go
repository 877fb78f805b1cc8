// Package maildir looks through maildirs the way mail readers do (maildir(5)).
//
// Messages are the regular files in new and cur whose names do not begin with a dot;
// nothing else in a name means anything here. Their order is that of delivery, which
// is what their modification times say. What was delivered within the present second
// is left for the next time: something that comes before it in the order may still
// follow. So is what seems to come from the next twelve hours, as by another clock;
// what lies further ahead came before the clock was set right.
//
// What else may be in a maildir, a link, a fifo, a device, is neither followed nor
// opened nor waited for. So a reader may be run for a user it has no reason to trust.
package maildir

import (
	"cmp"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Remnant is the age, by its last access, at which a file in tmp is what a delivery
// that died has left.
const Remnant = 36 * time.Hour

// skew is how far the clock of a file server may be ahead of ours, in seconds.
const skew = 12 * 60 * 60

// The directories of a maildir that hold messages.
const (
	New = "new" // nobody has seen them
	Cur = "cur"
)

// A Message is a file in a maildir.
type Message struct {
	Name      string // in the maildir, such as "new/1795525500.M1P2Q3.host"
	Delivered time.Time
	Size      int64 // in bytes

	inode uint64
}

// A Dir is an open maildir.
type Dir struct{ fd int }

// Open opens a maildir. Like chdir, it takes the right to search the directory. The
// error is an *fs.PathError.
func Open(maildir string) (*Dir, error) {
	if maildir == "" {
		return nil, &fs.PathError{Op: "open", Path: maildir, Err: unix.ENOENT}
	}
	fd, err := unix.Open(maildir+"/.", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: maildir, Err: err}
	}
	return &Dir{fd}, nil
}

// Close closes the maildir.
func (d *Dir) Close() { unix.Close(d.fd) }

// Scan lists the messages in some of the directories, the oldest first. The error is
// an *fs.PathError whose path is the directory that could not be read, as it is
// named in the maildir.
func (d *Dir) Scan(now time.Time, directories ...string) ([]Message, error) {
	var messages []Message
	for _, dir := range directories {
		err := d.walk(dir, func(name string, st *unix.Stat_t) {
			if ahead := st.Mtim.Sec - now.Unix(); ahead < 0 || ahead > skew {
				messages = append(messages, Message{dir + "/" + name, time.Unix(st.Mtim.Unix()), st.Size, st.Ino})
			}
		})
		if err != nil {
			return nil, &fs.PathError{Op: "scan", Path: dir, Err: err}
		}
	}
	slices.SortFunc(messages, func(a, b Message) int {
		return cmp.Or(a.Delivered.Compare(b.Delivered), strings.Compare(a.Name, b.Name))
	})
	return messages, nil
}

// Scan is Dir.Scan for a maildir that is only looked through.
func Scan(maildir string, now time.Time, directories ...string) ([]Message, error) {
	d, err := Open(maildir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Scan(now, directories...)
}

// Clean removes what dead deliveries have left in tmp. Trouble is no reason not to
// read mail, so none is reported.
func (d *Dir) Clean(now time.Time) {
	d.walk("tmp", func(name string, st *unix.Stat_t) {
		if now.Sub(time.Unix(st.Atim.Unix())) > Remnant {
			unix.Unlinkat(d.fd, "tmp/"+name, 0)
		}
	})
}

// Clean is Dir.Clean.
func Clean(maildir string, now time.Time) {
	d, err := Open(maildir)
	if err != nil {
		return
	}
	defer d.Close()
	d.Clean(now)
}

// walk calls visit for the regular files in a directory that are not hidden. One
// that vanishes meanwhile has been taken away by another reader.
func (d *Dir) walk(sub string, visit func(name string, st *unix.Stat_t)) error {
	fd, err := unix.Openat(d.fd, sub, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), sub)
	defer f.Close()
	for {
		names, err := f.Readdirnames(1000)
		for _, name := range names {
			var st unix.Stat_t
			if !strings.HasPrefix(name, ".") && unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && regular(&st) {
				visit(name, &st)
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

func regular(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFREG }
