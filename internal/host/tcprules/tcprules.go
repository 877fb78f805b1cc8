// Package tcprules decides what clients may do by the file that tcprules(1) of
// ucspi-tcp makes, as tcpserver(1) with its option -x does. The file is a cdb; its
// keys are
//
//	info@ip            the client's user and address
//	info@=host         its user and name
//	ip                 its address: 192.0.2.1, 2001:db8::1
//	=host              its name
//	192.0.2. 192.0. 192.  the address up to one of its dots, or colons
//	=.example.org =.org   the name from one of its dots on
//	=                  any client that has a name
//	(empty)            any client
//
// and the first of them, in this order, that is in the file counts. Keys with info
// are only looked for where the client's user is known, those with = where its name
// is. The data are instructions, each ended by a NUL:
//
//	D                  deny: close the connection
//	+NAME=value        set a variable in the environment
//
// Others are passed over, as tcpserver does, and so is one without its NUL.
//
// The file may be replaced at any time: each search is in the one that is there
// then, and no search sees half of one and half of another.
package tcprules

import (
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"goqmail/internal/host/cdb"
)

// A Client is what is known of one.
type Client struct {
	IP   string
	Host string  // "" if not known
	Info *string // nil if not known
}

// A Verdict is what there is about a client.
type Verdict struct {
	Deny bool
	Env  []string // NAME=value, as in the file
}

// A File is the file of rules. It may be used by several goroutines.
type File struct {
	path string

	mu     sync.Mutex
	cdb    *cdb.Reader // nil where the file has not been opened
	opened unix.Stat_t
}

// New returns the rules of a file, which need not exist yet.
func New(path string) *File { return &File{path: path} }

// Find searches for a client. Where nothing fits, as in an empty file, it may
// connect. An error, which is fs.ErrNotExist where there is no file, means that
// nobody can tell.
func (f *File) Find(c Client) (Verdict, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.reopen(); err != nil {
		return Verdict{}, err
	}
	for _, key := range keys(c) {
		data, found, err := f.cdb.Find(key)
		if err != nil {
			return Verdict{}, fmt.Errorf("unable to read %s: %w", f.path, err)
		}
		if found {
			return parse(string(data)), nil
		}
	}
	return Verdict{}, nil
}

// reopen opens the file, unless it is open and the same one is still there.
func (f *File) reopen() error {
	var now unix.Stat_t
	if err := unix.Stat(f.path, &now); err != nil {
		f.close()
		return &fs.PathError{Op: "stat", Path: f.path, Err: err}
	}
	if f.cdb != nil && same(&f.opened, &now) {
		return nil
	}
	f.close()
	r, err := cdb.Open(f.path)
	if err != nil {
		return err
	}
	// Should it be replaced right here, the next search opens it once more.
	f.cdb, f.opened = r, now
	return nil
}

func same(a, b *unix.Stat_t) bool {
	return a.Dev == b.Dev && a.Ino == b.Ino && a.Size == b.Size && a.Mtim == b.Mtim && a.Ctim == b.Ctim
}

func (f *File) close() {
	if f.cdb != nil {
		f.cdb.Close()
		f.cdb = nil
	}
}

// Close closes the file; the next search opens it again.
func (f *File) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.close()
}

// maxName bounds the names and users that are searched for, in bytes: one that is
// longer than any name in the domain name system is not worth searches by its dots.
const maxName = 255

// keys lists what to search for.
func keys(c Client) []string {
	var list []string
	named := c.Host != "" && len(c.Host) <= maxName
	if c.Info != nil && len(*c.Info) <= maxName {
		list = append(list, *c.Info+"@"+c.IP)
		if named {
			list = append(list, *c.Info+"@="+c.Host)
		}
	}
	list = append(list, c.IP)
	if named {
		list = append(list, "="+c.Host)
	}
	for i := len(c.IP) - 1; i >= 0; i-- {
		if c.IP[i] == '.' || c.IP[i] == ':' {
			list = append(list, c.IP[:i+1])
		}
	}
	if named {
		for i := range len(c.Host) {
			if c.Host[i] == '.' {
				list = append(list, "="+c.Host[i:])
			}
		}
		list = append(list, "=")
	}
	return append(list, "")
}

// parse reads the instructions for a client.
func parse(data string) Verdict {
	var v Verdict
	for {
		instruction, rest, ended := strings.Cut(data, "\x00")
		if !ended {
			return v
		}
		switch {
		case strings.HasPrefix(instruction, "D"):
			v.Deny = true
		case strings.HasPrefix(instruction, "+") && strings.IndexByte(instruction, '=') > 1:
			v.Env = append(v.Env, instruction[1:])
		}
		data = rest
	}
}
