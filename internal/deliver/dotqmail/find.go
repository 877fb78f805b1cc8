package dotqmail

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"

	"goqmail/internal/mail/fold"

	"golang.org/x/sys/unix"
)

// MaxFile bounds a .qmail file, in bytes. The file is read before its first
// instruction is followed, since what follows may change it.
const MaxFile = 64 << 20

// Bits of the mode of a .qmail file.
const (
	// Writable are those that neither a .qmail file nor the home directory may
	// have: whoever writes there reads the mail and runs programs as the user.
	Writable fs.FileMode = 0o002

	forwardOnly fs.FileMode = 0o100 // execution by the owner
)

// What can be wrong with a .qmail file, for errors.Is. Where it cannot be opened or
// read, the error is an *fs.PathError with the name of the file in the home.
var (
	ErrWritable = errors.New(".qmail file is writable")
	ErrTooLarge = errors.New(".qmail file is too large")
)

// A File is a .qmail file that is in charge of an address.
type File struct {
	Name        string // in the home directory
	Text        []byte
	ForwardOnly bool // the owner may execute the file

	Wild    bool   // the name ends with default
	Default string // what of the extension that stands for
}

// A candidate is the name of a file that might be in charge.
type candidate struct {
	name string
	wild bool
	rest string // of the extension as it came, where wild
}

// candidates goes through the names for an address, the closest first. For the
// extension a-b-c they are
//
//	.qmail-a-b-c .qmail-a-b-default .qmail-a-default .qmail-default
//
// where the first dash is part of the argument dash. In a name, the extension is in
// lower case and its dots are colons: no part of it is ever "..", so that an
// address can only name files below the home directory, and no hidden ones but
// these.
func candidates(dash, ext string) iter.Seq[candidate] {
	const wild = "default"
	return func(yield func(candidate) bool) {
		safe := safe(ext)
		exact := candidate{name: prefix + dash + safe}
		if strings.HasSuffix(safe, wild) {
			exact.wild, exact.rest = true, ext[len(ext)-len(wild):]
		}
		if !yield(exact) {
			return
		}
		for i := min(len(safe), unix.PathMax); i >= 0; i-- { // longer names do not exist
			if i > 0 && safe[i-1] != '-' {
				continue
			}
			if !yield(candidate{prefix + dash + safe[:i] + wild, true, ext[i:]}) {
				return
			}
		}
	}
}

const prefix = ".qmail"

// safe is an extension as it stands in the name of a file.
func safe(ext string) string { return strings.ReplaceAll(fold.Lower(ext), ".", ":") }

// Find returns the file in a home directory that is in charge of an extension, or
// nil where there is none. What is not a regular file, also behind a symbolic
// link, is as good as none. Where it cannot be told whether there is one, that is an
// error: to go on with the next name, or to bounce the mail, might be wrong.
func Find(home, dash, ext string) (*File, error) {
	for c := range candidates(dash, ext) {
		f, err := open(home, c.name)
		if err != nil {
			return nil, err
		}
		if f != nil {
			f.Wild, f.Default = c.wild, c.rest
			return f, nil
		}
	}
	return nil, nil
}

// open reads the file with a name, if there is one. It does not wait for the other
// end of a named pipe.
func open(home, name string) (*File, error) {
	f, err := os.OpenFile(home+"/"+name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, unlessMissing(name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, pathError(name, err)
	case !info.Mode().IsRegular():
		return nil, nil
	case info.Mode()&Writable != 0:
		return nil, ErrWritable
	case info.Size() > MaxFile:
		return nil, ErrTooLarge
	}
	var text bytes.Buffer
	text.Grow(int(info.Size()) + bytes.MinRead)
	switch n, err := text.ReadFrom(io.LimitReader(f, MaxFile+1)); {
	case err != nil:
		return nil, pathError(name, err)
	case n > MaxFile:
		return nil, ErrTooLarge
	}
	return &File{Name: name, Text: text.Bytes(), ForwardOnly: info.Mode()&forwardOnly != 0}, nil
}

// An Owner says whether somebody looks after the bounces of an address.
type Owner int

// The owners an address can have.
const (
	NoOwner       Owner = iota
	OneOwner            // .qmail-EXT-owner exists
	VariableOwner       // .qmail-EXT-owner-default exists too: a VERP
)

// FindOwner tells which owner an extension has. It is about the extension itself,
// whatever file is in charge of it; of which type the owner's file is, and what it
// says, does not matter.
func FindOwner(home, dash, ext string) (Owner, error) {
	name := prefix + dash + safe(ext) + "-owner"
	if there, err := exists(home, name); !there || err != nil {
		return NoOwner, err
	}
	if there, err := exists(home, name+"-default"); !there || err != nil {
		return OneOwner, err
	}
	return VariableOwner, nil
}

func exists(home, name string) (bool, error) {
	_, err := os.Stat(home + "/" + name)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrPermission):
		return false, nil // in a directory that is closed to the user
	}
	return false, unlessMissing(name, err)
}

// unlessMissing is nil where an error says that there is no such file, or none
// that could be read like one. A file that is closed to the user is not missing.
func unlessMissing(name string, err error) error {
	for _, missing := range []unix.Errno{
		unix.ENOENT, unix.ENOTDIR, unix.ENAMETOOLONG, unix.ELOOP,
		unix.ENXIO, unix.ENODEV, // a socket, or a device that is not there
	} {
		if errors.Is(err, missing) {
			return nil
		}
	}
	return pathError(name, err)
}

// pathError names the file as the user knows it.
func pathError(name string, err error) error {
	var inner *fs.PathError
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return &fs.PathError{Op: "open", Path: name, Err: err}
}
