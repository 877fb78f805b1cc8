// Package install lays out a home directory and verifies one.
//
// Both work from one table (hier.go): for each path its kind, owner, group and
// mode, the same that qmail 1.03 has. Install may be run over an existing C
// qmail or goqmail, also while it runs:
//
//   - A program is copied beside the old one and renamed over it, so that each
//     program is at any moment either the old or the new one.
//   - A control file, a user's file and everything in the queue stay as they
//     are. Missing directories of a queue are made; a queue that is split
//     otherwise than into 23 keeps its split.
//   - What exists has its owner and mode put right.
//
// Verify changes nothing. It names each path that is missing or has another
// kind, owner, group or mode than it should.
package install

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Accounts finds the numbers of the qmail users and groups.
type Accounts interface {
	UID(user string) (uint32, error)
	GID(group string) (uint32, error)
}

// A Plan says what to install, or what should have been installed.
type Plan struct {
	Home     string // as compiled in
	DestDir  string // put before Home; empty for the running system
	Build    string // directory with the built programs
	Sources  string // directory with docs and conf-templates
	Accounts Accounts
}

func (p Plan) root() string { return filepath.Join(p.DestDir, p.Home) }

// Entries is all that Install makes, in its order.
func (p Plan) Entries() ([]Entry, error) {
	copies, err := p.copies()
	if err != nil {
		return nil, err
	}
	return slices.Concat(p.Directories(), binaries(), copies), nil
}

// Directories is the part of Entries that is a copy of nothing.
func (p Plan) Directories() []Entry {
	return append(directories(), queue(queueSplit(p.root()))...)
}

// Install makes what is missing and puts right what is there. The first error
// ends it; it can be run again.
func (p Plan) Install() error {
	list, err := p.Entries()
	if err != nil {
		return err
	}
	return p.installAll(list)
}

// InstallDirectories makes the directories and the queue, and nothing else.
func (p Plan) InstallDirectories() error { return p.installAll(p.Directories()) }

// InstallQueue makes what is missing of the queue, and puts right what is there. What is
// of the wrong kind, such as a trigger that was copied and is a file now, is set aside.
func (p Plan) InstallQueue() error {
	list := queue(queueSplit(p.root()))
	for _, e := range list {
		path := filepath.Join(p.root(), e.Path)
		var st unix.Stat_t
		if unix.Lstat(path, &st) == nil && st.Mode&unix.S_IFMT != e.Kind.fileType() {
			if err := os.Rename(path, path+Aside); err != nil {
				return err
			}
		}
	}
	return p.installAll(list)
}

// Aside is what the name of a file that was set aside ends in. No program looks at it.
const Aside = ".orphan"

func (p Plan) installAll(list []Entry) error {
	if err := os.MkdirAll(p.root(), 0o755); err != nil {
		return err
	}
	for _, e := range list {
		if err := p.install(e); err != nil {
			return fmt.Errorf("unable to install %s: %w", e.Path, err)
		}
	}
	return nil
}

// copies lists the files that are taken from the sources: whatever man pages,
// documents and boot scripts there are.
func (p Plan) copies() ([]Entry, error) {
	var list []Entry
	for _, c := range []struct {
		pattern string
		kind    Kind
		dir     func(file string) string
		mode    uint32
	}{
		{"docs/man/*.[1-8]", Page, func(f string) string { return "man/man" + f[len(f)-1:] }, 0o644},
		{"docs/*.md", Document, func(string) string { return "doc" }, 0o644}, // README.md, which leads, is among them
		{"conf-templates/boot/*", BootScript, func(string) string { return "boot" }, 0o755},
	} {
		files, err := filepath.Glob(filepath.Join(p.Sources, c.pattern))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			list = append(list, Entry{
				Path: filepath.Join(c.dir(f), filepath.Base(f)), Kind: c.kind, From: f,
				Owner: "root", Group: "qmail", Mode: c.mode,
			})
		}
	}
	return list, nil
}

func (p Plan) install(e Entry) error {
	path := filepath.Join(p.root(), e.Path)
	var err error
	switch e.Kind {
	case Directory:
		if err = os.Mkdir(path, 0o700); err == nil && e.Apart {
			setApart(path)
		} else if errors.Is(err, fs.ErrExist) {
			err = nil
		}
	case Zeros:
		err = makeZeros(path, e.Size)
	case Fifo:
		if err = unix.Mkfifo(path, 0o600); err == unix.EEXIST {
			err = nil
		}
	default:
		return p.replace(e)
	}
	if err != nil {
		return err
	}
	return p.own(path, e)
}

// topDir is FS_TOPDIR_FL of Linux, the attribute T of chattr(1).
const topDir = 0x20000

// setApart has ext4 put the subdirectories of a new directory into different block
// groups. It looks for a free inode in the group of a file's directory, and one after
// another passes over those that were in use a moment ago: in a busy queue, where
// files go all the time, creating one becomes dear if they are all in one group.
// Other filesystems do not know the attribute and do not need it, so errors say
// nothing.
func setApart(path string) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	if flags, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS); err == nil {
		unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(flags|topDir))
	}
}

// Content is what the copy of a file has in it.
func (p Plan) Content(e Entry) ([]byte, error) {
	source := e.From
	if e.Kind == Program {
		source = filepath.Join(p.Build, filepath.Base(e.Path))
	}
	text, err := os.ReadFile(source)
	if e.Kind == BootScript {
		text = p.withHome(text)
	}
	return text, err
}

// replace puts a copy of a file in the place of an entry in one step.
func (p Plan) replace(e Entry) error {
	path := filepath.Join(p.root(), e.Path)
	text, err := p.Content(e)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = io.Copy(f, bytes.NewReader(text))
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := p.own(f.Name(), e); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// own gives a path its owner and mode. The mode comes last, since a change of
// owner takes a set-uid bit away.
func (p Plan) own(path string, e Entry) error {
	uid, err := p.Accounts.UID(e.Owner)
	if err != nil {
		return err
	}
	gid, err := p.Accounts.GID(e.Group)
	if err != nil {
		return err
	}
	if err := os.Lchown(path, int(uid), int(gid)); err != nil {
		return err
	}
	return unix.Chmod(path, e.Mode)
}

// makeZeros makes a file of zero bytes unless there is one.
func makeZeros(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, size))
	return errors.Join(err, f.Close())
}

// queueSplit finds how many directories an existing queue is spread over.
func queueSplit(home string) int {
	n := 0
	for ; ; n++ {
		if _, err := os.Stat(filepath.Join(home, "queue/mess", strconv.Itoa(n))); err != nil {
			break
		}
	}
	if n == 0 {
		return split
	}
	return n
}
