package setup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A Kind is what a change does.
type Kind string

// The kinds, as the record has them.
const (
	Group     Kind = "group"     // Path is its name
	User      Kind = "user"      // Path is its name
	Directory Kind = "directory" //
	File      Kind = "file"      // Arg is the sum of what is written
	Lock      Kind = "lock"      // a file of the queue that is no message's
	Aside     Kind = "aside"     // Arg is where the old file is kept
	Link      Kind = "link"      // Arg is what it leads to
)

// words describe changes: one, and many of a kind.
var words = map[Kind]struct{ one, many string }{
	Group:     {"create the group %s", "create %d groups"},
	User:      {"create the account %s", "create %d accounts"},
	Directory: {"make the directory %s", "make %d directories"},
	File:      {"write %s", "write %d files"},
	Lock:      {"make %s", "make %d files of the queue"},
	Aside:     {"keep the old %s as %s", "keep %d old files aside"},
	Link:      {"link %s to %s", "make %d links"},
}

// A Change is one thing that set-up does.
type Change struct {
	Kind Kind
	Path string
	Arg  string
	text string       // what a short file has in it, to be shown
	do   func() error // nil where the step does it
}

func (c Change) String() string {
	switch c.Kind {
	case Aside, Link:
		return fmt.Sprintf(words[c.Kind].one, c.Path, c.Arg)
	}
	line := fmt.Sprintf(words[c.Kind].one, c.Path)
	if c.text != "" {
		line += ": " + strings.ReplaceAll(strings.TrimSuffix(c.text, "\n"), "\n", " ")
	}
	return line
}

// sum is what a File is known by.
func sum(text []byte) string {
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:])
}

// sumOf is the sum of the regular file at a path of the machine, or empty: where
// there is something else or nothing.
func (s *Setup) sumOf(path string) (string, error) {
	info, err := os.Lstat(s.at(path))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(s.at(path))
	return sum(text), err
}

// keep is the change that keeps what is at a path aside: beside it, or for what is
// in the home in a directory that is closed to users, since old set-uid programs
// may be among it. The old file stays where it is until the new one takes its name.
func (s *Setup) keep(path string) (Change, error) {
	aside := path + ".before-goqmail"
	if rel, err := filepath.Rel(s.Install.Home, path); err == nil && filepath.IsLocal(rel) {
		aside = s.inHome(asideDir + "/" + rel)
	}
	kept := aside
	for n := 2; ; n++ {
		there, err := s.exists(kept)
		if err != nil {
			return Change{}, err
		}
		if !there {
			break
		}
		kept = fmt.Sprintf("%s.%d", aside, n)
	}
	return Change{Kind: Aside, Path: path, Arg: kept, do: func() error {
		if err := os.MkdirAll(filepath.Dir(s.at(kept)), 0o700); err != nil {
			return err
		}
		return os.Link(s.at(path), s.at(kept))
	}}, nil
}

// write is the change that makes a file, which belongs to whoever runs set-up, in one
// step.
func (s *Setup) write(path, text string, mode os.FileMode) Change {
	c := Change{Kind: File, Path: path, Arg: sum([]byte(text)), do: func() error {
		return s.inOneStep(path, func(temp string) error {
			f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return err
			}
			_, err = f.WriteString(text)
			return errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
		})
	}}
	if len(text) <= 200 && bytes.Count([]byte(text), []byte("\n")) <= 4 {
		c.text = text
	}
	return c
}

// link is the change that makes a symbolic link in one step.
func (s *Setup) link(path, target string) Change {
	return Change{Kind: Link, Path: path, Arg: target, do: func() error {
		return s.inOneStep(path, func(temp string) error { return os.Symlink(target, temp) })
	}}
}

// inOneStep makes something beside a path of the machine and renames it.
func (s *Setup) inOneStep(path string, make func(temp string) error) error {
	temp := filepath.Join(filepath.Dir(s.at(path)), "."+filepath.Base(path)+".goqmail")
	os.Remove(temp)
	defer os.Remove(temp)
	if err := make(temp); err != nil {
		return err
	}
	return os.Rename(temp, s.at(path))
}

// directory is the change that makes a directory of somebody's.
func (s *Setup) directory(path, owner, group string, mode uint32) Change {
	return Change{Kind: Directory, Path: path, do: func() error {
		uid, err := s.Install.Accounts.UID(owner)
		if err != nil {
			return err
		}
		gid, err := s.Install.Accounts.GID(group)
		if err != nil {
			return err
		}
		if err := os.Mkdir(s.at(path), 0o700); err != nil {
			return err
		}
		return errors.Join(os.Lchown(s.at(path), int(uid), int(gid)), unix.Chmod(s.at(path), mode))
	}}
}
