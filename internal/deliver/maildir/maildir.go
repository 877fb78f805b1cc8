// Package maildir delivers messages into maildirs (maildir(5)).
//
// A maildir is a directory with tmp, new and cur in it, on one filesystem. A
// delivery needs no lock and meets no other:
//
//  1. tmp/NAME is created, under a name that nobody else uses
//  2. the message is written to it, and synced
//  3. it is linked to new/NAME: now a reader can see it, whole
//  4. new is synced: now a power cut does not lose it; deliveries of one process
//     into the same maildir at the same time share such syncs
//  5. tmp/NAME is removed
//
// An error before step 3 leaves nothing behind; nobody ever sees a part of a
// message. Where step 4 fails the message is taken out of new again, so that
// the next try does not deliver it twice (unless somebody has read it by then).
//
// A name is TIME.ID.HOST, where only TIME, the seconds since 1970, is for anybody
// to read. ID has the microseconds, the process number and the number of the
// delivery within the process. The original has the process number alone there,
// which is not enough where process numbers are used again within a second, as
// they are in containers.
//
// A delivery takes up to 24 hours, so that readers can take a file in tmp that is
// older than 36 hours for a remnant.
package maildir

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"goqmail/internal/host/durable"

	"golang.org/x/sys/unix"
)

// Limit is how long a delivery may take by the wall clock.
const Limit = 24 * time.Hour

// What can go wrong, for errors.Is. Other errors are those of the filesystem, or
// of reading the message.
var (
	ErrEnter   = errors.New("unable to enter the maildir")
	ErrTimeout = errors.New("the delivery took too long")
)

// Names makes unique names. One is shared by all deliveries of a process, at the
// same time if need be, and they share their syncs of new too.
type Names struct {
	Host string // name of this host
	PID  int
	Now  func() time.Time

	deliveries atomic.Uint64
	syncs      durable.Shared
}

// next returns the name for a delivery.
func (n *Names) next(now time.Time) string {
	host := strings.NewReplacer("/", `\057`, ":", `\072`).Replace(n.Host)
	return fmt.Sprintf("%d.M%06dP%dQ%d.%s", now.Unix(), now.Nanosecond()/1000, n.PID, n.deliveries.Add(1), host)
}

// attempts is how many names are tried. A name that is taken means that some
// clock is wrong.
const attempts = 3

// Deliver puts a message into a maildir, as it comes. When it returns nil, the
// message is there and durable. The files get mode 0600.
func Deliver(dir string, names *Names, message io.Reader) error {
	if err := enter(dir); err != nil {
		return err
	}
	begun := names.Now()
	f, name, err := create(dir, names)
	if err != nil {
		return err
	}
	tmp := dir + "/tmp/" + name
	defer os.Remove(tmp)
	overdue := func() error {
		if names.Now().Unix()-begun.Unix() >= int64(Limit/time.Second) {
			return ErrTimeout
		}
		return nil
	}
	if err := write(f, message, overdue); err != nil {
		return err
	}
	return names.publish(tmp, dir+"/new", name)
}

// enter tells whether a process could make the maildir its working directory.
func enter(dir string) error {
	_, err := os.Stat(dir + "/.")
	for _, no := range []unix.Errno{unix.ENOENT, unix.ENOTDIR, unix.EACCES, unix.EPERM, unix.ELOOP, unix.ENAMETOOLONG} {
		if errors.Is(err, no) {
			return fmt.Errorf("%w: %w", ErrEnter, err)
		}
	}
	return err
}

// create makes a new file in tmp.
func create(dir string, names *Names) (f *os.File, name string, err error) {
	for range attempts {
		name = names.next(names.Now())
		f, err = os.OpenFile(dir+"/tmp/"+name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return f, name, err
}

// write copies the message, syncs the file and closes it; NFS tells some errors
// no sooner than that.
func write(f *os.File, message io.Reader, overdue func() error) error {
	w := bufio.NewWriterSize(&punctual{f, overdue}, 64<<10)
	_, err := io.Copy(w, message)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = overdue()
	}
	return errors.Join(err, f.Close())
}

// A punctual writer refuses to write when it is too late.
type punctual struct {
	w       io.Writer
	overdue func() error
}

func (p *punctual) Write(b []byte) (int, error) {
	if err := p.overdue(); err != nil {
		return 0, err
	}
	return p.w.Write(b)
}

// publish links the file to its name in new and makes that durable.
func (n *Names) publish(tmp, dir, name string) error {
	if err := os.Link(tmp, dir+"/"+name); err != nil {
		return err
	}
	err := n.syncs.Sync(dir, func() error { return durable.Names(dir, tmp) })
	if err != nil {
		os.Remove(dir + "/" + name)
	}
	return err
}
