// Package control reads qmail's control files (qmail-control(5)).
//
// A control file is text. Three shapes exist:
//
//	a line   the first line counts; spaces, tabs and newlines behind it do not.
//	         An empty file is an empty line.
//	a number the digits that the first line begins with; a line that begins
//	         otherwise is as good as no file
//	a list   every line counts but empty ones and those that begin with #;
//	         spaces and tabs behind an entry are cut, those before it are not
//
// A missing file is never an error: many have a default, often the contents of
// control/me. A file that is there and cannot be read always is one, and a
// temporary one. A file may have 64 MiB and a line of it 64 KiB at most; more
// is an error too, so that a wrong file cannot fill the memory.
package control

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// The largest file and the longest line that are read.
const (
	MaxFile = 64 << 20
	MaxLine = 64 << 10
)

// Dir is a directory of control files.
type Dir struct{ path string }

// In returns the control directory of an installation.
func In(home string) Dir { return Dir{filepath.Join(home, "control")} }

// Path is the name of a control file.
func (d Dir) Path(name string) string { return filepath.Join(d.path, name) }

// Stamp is a text that changes when one of some files does: is written, replaced,
// created or removed. A process that serves many asks it before it reads them, and
// reads them again when it has changed.
func (d Dir) Stamp(names ...string) string {
	var b []byte
	for _, name := range names {
		var st unix.Stat_t
		if err := unix.Stat(d.Path(name), &st); err != nil {
			b = append(b, err.Error()...)
			continue
		}
		for _, n := range []int64{int64(st.Dev), int64(st.Ino), st.Size, st.Mtim.Nano(), st.Ctim.Nano()} {
			b = binary.LittleEndian.AppendUint64(b, uint64(n))
		}
	}
	return string(b)
}

// Line returns the first line of a file, and whether the file exists.
func (d Dir) Line(name string) (line string, exists bool, err error) {
	f, err := os.Open(d.Path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("unable to read control: %w", err)
	}
	defer f.Close()
	line, err = readLine(bufio.NewReader(io.LimitReader(f, MaxLine+1)))
	if err != nil && err != io.EOF {
		return "", false, fmt.Errorf("unable to read %s: %w", d.Path(name), err)
	}
	return line, true, nil
}

// LineOr is Line with a default for a missing file.
func (d Dir) LineOr(name, def string) (string, error) {
	line, exists, err := d.Line(name)
	if err == nil && !exists {
		line = def
	}
	return line, err
}

// LineOrMe is Line with control/me as the default, and def where that is
// missing too.
func (d Dir) LineOrMe(name, def string) (string, error) {
	line, exists, err := d.Line(name)
	if err != nil || exists {
		return line, err
	}
	return d.LineOr("me", def)
}

// Number returns the number in a file, or def.
func (d Dir) Number(name string, def uint64) (uint64, error) {
	line, exists, err := d.Line(name)
	if err != nil {
		return def, err
	}
	if n, ok := LeadingNumber(line); exists && ok {
		return n, nil
	}
	return def, nil
}

// List returns the entries of a file, and whether the file exists.
func (d Dir) List(name string) (entries []string, exists bool, err error) {
	f, err := os.Open(d.Path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("unable to read control: %w", err)
	}
	defer f.Close()
	entries, err = ReadList(f)
	if err != nil {
		return nil, false, fmt.Errorf("unable to read %s: %w", d.Path(name), err)
	}
	return entries, true, nil
}

// ListOrMe is List with the line in control/me as the default.
func (d Dir) ListOrMe(name string) ([]string, error) {
	entries, exists, err := d.List(name)
	if err != nil || exists {
		return entries, err
	}
	me, exists, err := d.Line("me")
	if err != nil || !exists {
		return nil, err
	}
	return []string{me}, nil
}

// ReadList reads the entries of a list from an open file.
func ReadList(r io.Reader) ([]string, error) {
	limited := &io.LimitedReader{R: r, N: MaxFile + 1}
	b := bufio.NewReader(limited)
	var entries []string
	for {
		line, err := readLine(b)
		if line != "" && line[0] != '#' {
			entries = append(entries, line)
		}
		switch {
		case limited.N == 0:
			return nil, fmt.Errorf("more than %d bytes", MaxFile)
		case err == io.EOF:
			return entries, nil
		case err != nil:
			return nil, err
		}
	}
}

// readLine reads a line and cuts the white space behind it.
func readLine(b *bufio.Reader) (string, error) {
	var line []byte
	for {
		piece, err := b.ReadSlice('\n')
		if len(line)+len(piece) > MaxLine {
			return "", fmt.Errorf("a line of more than %d bytes", MaxLine)
		}
		line = append(line, piece...)
		if err != bufio.ErrBufferFull {
			return strings.TrimRight(string(line), " \t\n"), err
		}
	}
}

// LeadingNumber reads the digits that a line begins with. A number too large
// for 64 bits is the largest one. Numbers in the environment are read so too.
func LeadingNumber(line string) (n uint64, ok bool) {
	const max = 1<<64 - 1
	for _, c := range []byte(line) {
		if c < '0' || c > '9' {
			break
		}
		digit := uint64(c - '0')
		if n > (max-digit)/10 {
			return max, true
		}
		n, ok = n*10+digit, true
	}
	return n, ok
}
