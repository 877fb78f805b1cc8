// Package mbox appends messages to mbox files (mbox(5)).
//
// All messages of a mailbox are in one file, so a delivery
//
//  1. opens the file, which it creates if need be, with mode 0600
//  2. locks it with flock(2), against other deliveries and against mail readers
//  3. appends the message, and syncs the file
//
// When step 3 fails, as on a full disk, the file is cut back to the length it had.
// If the machine crashes meanwhile, the mailbox may end with part of a message;
// the format knows no way around it, and maildirs are for those who mind.
//
// On a filesystem that cannot lock, the message is appended without; it is not cut
// back then, for that could cut off somebody else's.
package mbox

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"strings"

	"goqmail/internal/host/durable"
	"goqmail/internal/host/mailbox"
	"goqmail/internal/mail/mboxrd"

	"golang.org/x/sys/unix"
)

// A Mailbox is an open mbox file.
type Mailbox struct{ *mailbox.File }

// Open opens a mailbox for appending. It must be a regular file.
func Open(path string) (Mailbox, error) {
	f, err := mailbox.Open(path)
	return Mailbox{f}, err
}

// Append adds a message: its From_ line (mboxrd.FromLine), then the message itself,
// quoted, and a blank line. When it returns nil, the message is there and
// durable; otherwise, if the mailbox is locked, it is what it was before.
func (m Mailbox) Append(fromLine string, message io.Reader) error {
	length, err := m.File.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	err = m.write(fromLine, message)
	if err == nil && length == 0 {
		err = m.syncName()
	}
	if err != nil && m.Locked {
		err = errors.Join(err, m.File.Truncate(length))
	}
	return err
}

func (m Mailbox) write(fromLine string, message io.Reader) error {
	w := bufio.NewWriterSize(m.File, 64<<10)
	if _, err := w.WriteString(fromLine); err != nil {
		return err
	}
	q := mboxrd.NewQuoter(w)
	if _, err := io.Copy(q, message); err != nil {
		return err
	}
	if err := q.Close(); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return m.File.Sync()
}

// syncName makes the name of a file durable that may have been created just now.
// In a directory that the user may not read, such as a spool, or on a filesystem
// that does not sync directories, the sync of the new file has to do; on ext4, xfs
// and btrfs it does.
func (m Mailbox) syncName() error {
	name := m.File.Name()
	err := durable.Directory(name[:strings.LastIndexByte(name, '/')+1] + ".")
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	return err
}
