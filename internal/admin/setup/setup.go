// Package setup makes a mail server of a machine, and takes that back
// (qmail-setup(8)).
//
// Set-up is a list of steps, each a list of changes. Both are values: they are found
// by looking at the machine, and can be shown before anything is done. A machine on
// which all is done already has no changes, so set-up can be run again, after an
// upgrade for one thing.
//
//	accounts  the accounts and groups that are missing
//	home      directories, queue, programs, documents
//	control   me, defaultdomain, plusdomain, locals, rcpthosts, unless there is a me
//	alias     postmaster, mailer-daemon, root and abuse, unless somebody has them
//	rc        the script that starts the mail system
//	links     sendmail, mailq and newaliases where programs look for them
//	units     systemd's, on a machine that has systemd
//
// Nothing that an admin has written is lost. What is to make room, such as another
// sendmail or the programs of C qmail, is kept under another name; a control file
// that is there stays.
//
// Each change goes into a record (record.go) before it is made. Undo goes through the
// record from its end. What was changed meanwhile, a directory that has something in
// it, and a queue with mail in it are left alone, and stay in the record.
package setup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"goqmail/internal/admin/config"
	"goqmail/internal/admin/install"
	"goqmail/internal/admin/lookup"
	"goqmail/internal/mail/outcome"
)

// A Setup says what to set up. Install.DestDir is where the root of the machine is,
// for tests; it is empty otherwise.
type Setup struct {
	Install    install.Plan // without Build, the programs are in the home already
	Me         string       // the name of the host; empty to ask DNS about Machine
	Machine    config.Machine
	Resolver   lookup.Resolver
	Postmaster string // who gets the mail of postmaster; empty for the maildir of alias
	Boot       string // which file of boot becomes rc
	// Run runs a command of the machine to its end.
	Run func(args ...string) error
}

// A Step is a part of set-up. Notes are for the admin.
type Step struct {
	Name    string
	Changes []Change
	Notes   []string
	finish  func() error // makes the changes that have no do
}

// planners find out what the steps are to do, in the order in which they are done.
var planners = []struct {
	name string
	plan func(*Setup, record) (Step, error)
}{
	{"accounts", (*Setup).accounts},
	{"home", (*Setup).home},
	{"control", (*Setup).control},
	{"alias", (*Setup).alias},
	{"rc", (*Setup).rc},
	{"links", (*Setup).links},
	{"units", (*Setup).units},
}

// StepNames are the names of all steps.
func StepNames() (names []string) {
	for _, p := range planners {
		names = append(names, p.name)
	}
	return names
}

// Steps finds out what is to be done for the steps named.
func (s *Setup) Steps(names []string) ([]Step, error) {
	for _, name := range names {
		if !slices.Contains(StepNames(), name) {
			return nil, outcome.Fail("there is no step %q; the steps are %s", name, strings.Join(StepNames(), " "))
		}
	}
	rec, err := s.readRecord()
	if err != nil {
		return nil, err
	}
	var steps []Step
	for _, p := range planners {
		if !slices.Contains(names, p.name) {
			continue
		}
		step, err := p.plan(s, rec)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		step.Name = p.name
		steps = append(steps, step)
	}
	return steps, nil
}

// Do makes the changes. The first error ends it; what was made until then is in the
// record.
func (s *Setup) Do(steps []Step) error {
	for _, step := range steps {
		if err := s.do(step); err != nil {
			return fmt.Errorf("%s: %w", step.Name, err)
		}
	}
	return nil
}

func (s *Setup) do(step Step) error {
	if err := s.appendRecord(step.Changes); err != nil {
		return err
	}
	for _, c := range step.Changes {
		if c.do == nil {
			continue
		}
		if err := c.do(); err != nil {
			return err
		}
	}
	if step.finish != nil {
		return step.finish()
	}
	return nil
}

// Show writes the steps, a change to a line. Where a step has many of a kind their
// number is shown, unless all are wanted.
func Show(w io.Writer, steps []Step, all bool) error {
	var b strings.Builder
	for _, step := range steps {
		if len(step.Changes)+len(step.Notes) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s:\n", step.Name)
		for _, line := range summary(step.Changes, all) {
			fmt.Fprintf(&b, "    %s\n", line)
		}
		for _, note := range step.Notes {
			fmt.Fprintf(&b, "  * %s\n", note)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// several is how many changes of a kind are shown one by one.
const several = 12

func summary(changes []Change, all bool) (lines []string) {
	count := map[Kind]int{}
	for _, c := range changes {
		count[c.Kind]++
	}
	for _, c := range changes {
		switch n := count[c.Kind]; {
		case all || 0 < n && n <= several:
			lines = append(lines, c.String())
		case n > several:
			lines = append(lines, fmt.Sprintf(words[c.Kind].many, n))
			count[c.Kind] = 0 // it stands for all of them
		}
	}
	return lines
}

// Pending tells whether anything is to be changed.
func Pending(steps []Step) bool {
	return slices.ContainsFunc(steps, func(s Step) bool { return len(s.Changes) > 0 })
}

// at is where a path of the machine is.
func (s *Setup) at(path string) string { return filepath.Join(s.Install.DestDir, path) }

// inHome is a path of the machine.
func (s *Setup) inHome(path string) string { return filepath.Join(s.Install.Home, path) }

// exists tells whether there is anything at a path of the machine.
func (s *Setup) exists(path string) (bool, error) {
	_, err := os.Lstat(s.at(path))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
