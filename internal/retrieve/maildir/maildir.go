// Package maildir looks through maildirs the way mail readers do (maildir(5)).
//
// Messages are the regular files in new and cur whose names do not begin with a dot;
// nothing else in a name means anything here. Their order is that of delivery, which
// is what their modification times say. What was delivered within the present second
// is left for the next time: something that comes before it in the order may still
// follow.
package maildir

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Remnant is the age, by its last access, at which a file in tmp is what a delivery
// that died has left.
const Remnant = 36 * time.Hour

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
}

// Scan lists the messages in some of the directories of a maildir, the oldest
// first. The error is an *fs.PathError whose path is the directory that could not
// be read, as it is named in the maildir.
func Scan(maildir string, now time.Time, directories ...string) ([]Message, error) {
	var messages []Message
	for _, dir := range directories {
		err := walk(maildir+"/"+dir, func(name string, info fs.FileInfo) {
			if info.Mode().IsRegular() && info.ModTime().Unix() < now.Unix() {
				messages = append(messages, Message{dir + "/" + name, info.ModTime(), info.Size()})
			}
		})
		if err != nil {
			return nil, &fs.PathError{Op: "scan", Path: dir, Err: errors.Unwrap(err)}
		}
	}
	slices.SortFunc(messages, func(a, b Message) int {
		return cmp.Or(a.Delivered.Compare(b.Delivered), strings.Compare(a.Name, b.Name))
	})
	return messages, nil
}

// Clean removes what dead deliveries have left in tmp. Trouble is no reason not to
// read mail, so none is reported.
func Clean(maildir string, now time.Time) {
	tmp := maildir + "/tmp"
	walk(tmp, func(name string, info fs.FileInfo) {
		st, ok := info.Sys().(*syscall.Stat_t)
		if ok && info.Mode().IsRegular() && now.Sub(time.Unix(st.Atim.Unix())) > Remnant {
			os.Remove(tmp + "/" + name)
		}
	})
}

// walk calls visit for the files in a directory that are not hidden. One that
// vanishes meanwhile has been taken away by another reader. The error is an
// *fs.PathError.
func walk(dir string, visit func(name string, info fs.FileInfo)) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		names, err := f.Readdirnames(1000)
		for _, name := range names {
			if strings.HasPrefix(name, ".") {
				continue
			}
			if info, err := os.Stat(dir + "/" + name); err == nil {
				visit(name, info)
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return &fs.PathError{Op: "read", Path: dir, Err: err}
		}
	}
}
