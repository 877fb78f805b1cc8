package maildir

import (
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrReplaced says that something else has the name of a message now.
var ErrReplaced = errors.New("replaced by another file")

// Read opens a message. Close what it returns.
func (d *Dir) Read(m *Message) (File, error) {
	fd, err := unix.Openat(d.fd, m.Name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || !regular(&st) {
		unix.Close(fd)
		return -1, errors.Join(ErrReplaced, err)
	}
	return File(fd), nil
}

// Remove removes a message, but not another file that has its name by now.
func (d *Dir) Remove(m *Message) error {
	var st unix.Stat_t
	if err := unix.Fstatat(d.fd, m.Name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if !regular(&st) || st.Ino != m.inode || st.Size != m.Size || st.Mtim.Nano() != m.Delivered.UnixNano() {
		return ErrReplaced
	}
	return unix.Unlinkat(d.fd, m.Name, 0)
}

// Notice moves a message that is in new to cur, as one that somebody has been shown.
// It never replaces a file there; the error is unix.EEXIST then.
func (d *Dir) Notice(m *Message) error {
	name, isNew := strings.CutPrefix(m.Name, New+"/")
	if !isNew {
		return nil
	}
	to := Cur + "/" + name + ":2,"
	err := unix.Renameat2(d.fd, m.Name, d.fd, to, unix.RENAME_NOREPLACE)
	if err != unix.EINVAL {
		return err
	}
	return d.noticeByLink(m.Name, to) // NFS and others do not know the flag
}

func (d *Dir) noticeByLink(from, to string) error {
	if err := unix.Linkat(d.fd, from, d.fd, to, 0); err != nil {
		return err
	}
	return unix.Unlinkat(d.fd, from, 0)
}

// A File is an open message. It is read without the bookkeeping that an os.File
// needs for what may block.
type File int

func (f File) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(f), p)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Close closes the file.
func (f File) Close() { unix.Close(int(f)) }
