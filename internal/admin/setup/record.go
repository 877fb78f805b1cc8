package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"goqmail/internal/host/durable"
)

// Where set-up keeps the record, and what it has put aside, below the home. Only root
// can enter the directory.
const (
	ownDir     = "setup"
	recordFile = ownDir + "/record"
	asideDir   = ownDir + "/aside"
)

// A record is the changes that were made, oldest first: in the file, one to a line of
// three fields with tabs between, kind, path and argument, where the last may be
// empty.
//
//	file	/var/qmail/control/me	9c56cc51...
//	aside	/usr/sbin/sendmail	/usr/sbin/sendmail.before-goqmail
//	link	/usr/sbin/sendmail	/var/qmail/bin/sendmail
//
// A line is there before its change is made. A path may occur several times.
type record []Change

// parseRecord reads a record. What is not well formed is an error: set-up has to know
// what it did.
func parseRecord(text string) (record, error) {
	var r record
	for n := 1; text != ""; n++ {
		line, rest, _ := strings.Cut(text, "\n")
		text = rest
		c, ok := parseChange(line)
		if !ok {
			return nil, fmt.Errorf("line %d is not one of a record: %.100q", n, line)
		}
		r = append(r, c)
	}
	return r, nil
}

func parseChange(line string) (c Change, ok bool) {
	f := strings.Split(line, "\t")
	if len(f) != 3 || words[Kind(f[0])].one == "" {
		return c, false
	}
	c = Change{Kind: Kind(f[0]), Path: f[1], Arg: f[2]}
	switch c.Kind {
	case Group, User:
		return c, c.Path != "" && !strings.ContainsAny(c.Path, "/ ") && c.Path[0] != '-' && c.Arg == ""
	case Directory, Lock:
		return c, clean(c.Path) && c.Arg == ""
	case Aside:
		return c, clean(c.Path) && clean(c.Arg)
	}
	return c, clean(c.Path) && c.Arg != ""
}

// clean holds for an absolute path that is written in the one way.
func clean(path string) bool { return filepath.IsAbs(path) && filepath.Clean(path) == path }

func (r record) String() string {
	var b strings.Builder
	for _, c := range r {
		fmt.Fprintf(&b, "%s\t%s\t%s\n", c.Kind, c.Path, c.Arg)
	}
	return b.String()
}

// wrote is the sum of what set-up last wrote to a path, or empty.
func (r record) wrote(path string) (sum string) {
	for _, c := range r {
		if c.Kind == File && c.Path == path {
			sum = c.Arg
		}
	}
	return sum
}

// readRecord reads the record; there is none before the first set-up.
func (s *Setup) readRecord() (record, error) {
	path := s.at(s.inHome(recordFile))
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := parseRecord(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// appendRecord adds changes to the record, durably.
func (s *Setup) appendRecord(changes []Change) error {
	if len(changes) == 0 {
		return nil
	}
	for _, c := range changes {
		if line := strings.TrimSuffix(record{c}.String(), "\n"); strings.Contains(line, "\n") || strings.Count(line, "\t") != 2 {
			return fmt.Errorf("a name that the record cannot have: %q", c.Path)
		}
	}
	r, err := s.readRecord()
	if err != nil {
		return err
	}
	if there, err := s.exists(s.Install.Home); err == nil && !there {
		r = append(r, Change{Kind: Directory, Path: s.Install.Home})
	}
	if err := os.MkdirAll(s.at(s.Install.Home), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(s.at(s.inHome(ownDir)), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return s.writeRecord(append(r, changes...))
}

func (s *Setup) writeRecord(r record) error {
	path := s.at(s.inHome(recordFile))
	return durable.Replace(path, path+".new", 0o600, func(f *os.File) error {
		_, err := f.WriteString(r.String())
		return err
	})
}
