// Package showctl explains the configuration of an installation
// (qmail-showctl(8)): what is compiled in, each control file with what it means or
// what its absence means, and the files in control that no program reads.
//
// People and programs know this output, so a line is as qmail has it. What qmail
// does not tell comes behind everything else: notices of settings that are likely
// to be mistakes. Bytes that are no printable ASCII are shown as question marks.
package showctl

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"goqmail/internal/host/account"
	"goqmail/internal/host/control"
	"goqmail/internal/mail/excerpt"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/spawn"
	"goqmail/queue"
)

// What is the same in every installation.
const (
	delimiter   = "-" // between a user and an extension
	paternalism = 0o2 // permissions that others must not have on .qmail and its directory
)

// Show explains the installation in a home directory. The error of a configuration
// that cannot be shown has no text of its own: what is wrong is in the output.
func Show(home string, w io.Writer) error {
	out := bufio.NewWriter(w)
	s := &shower{out: out, home: home, dir: control.In(home)}
	err := s.show()
	if flushed := out.Flush(); flushed != nil {
		return flushed
	}
	return err
}

type shower struct {
	out     *bufio.Writer
	home    string
	dir     control.Dir
	me      *string // nil where control/me is missing
	notices []string
}

func (s *shower) printf(format string, args ...any) { fmt.Fprintf(s.out, format, args...) }

// notice adds a notice to those behind the settings.
func (s *shower) notice(format string, args ...any) {
	s.notices = append(s.notices, fmt.Sprintf(format, args...))
}

// oops says why nothing can be shown.
func (s *shower) oops(text string) error {
	s.printf("Oops! %s\n", text)
	return &outcome.Status{Code: 111}
}

func (s *shower) show() error {
	s.facts()
	if _, err := os.Stat(s.home + "/."); err != nil {
		return s.oops("Unable to chdir to " + s.home + ".")
	}
	if _, err := os.Stat(s.dir.Path(".")); err != nil {
		return s.oops("Unable to chdir to control.")
	}
	files, err := os.ReadDir(s.dir.Path("."))
	if err != nil {
		return s.oops("Unable to open current directory.")
	}
	me, exists, err := s.dir.Line("me")
	if err != nil {
		return s.oops("Trouble reading control/me.")
	}
	if exists {
		s.me = &me
	} else {
		s.notice("There is no me. Put the name of this host into %s.", s.dir.Path("me"))
	}
	s.settings(beforeRcpthosts)
	s.rcpthosts()
	s.settings(afterRcpthosts)
	for _, c := range own {
		if _, err := os.Stat(s.dir.Path(c.file)); err == nil {
			s.setting(c)
		}
	}
	for _, f := range files {
		s.file(f)
	}
	for _, n := range s.notices {
		s.printf("\nOops! %s\n", n)
	}
	return nil
}

// facts prints what does not come from control.
func (s *shower) facts() {
	s.printf("qmail home directory: %s.\n", s.home)
	s.printf("user-ext delimiter: %s.\n", delimiter)
	s.printf("paternalism (in decimal): %d.\n", paternalism)
	limit, err := spawn.Limit(s.dir)
	if err != nil {
		limit = spawn.DefaultLimit
		s.notice("Trouble reading spawnlimit: %v.", err)
	}
	s.printf("silent concurrency limit: %d.\n", limit)
	split := "unknown"
	if q, err := queue.Open(s.home + "/queue"); err == nil {
		split = fmt.Sprint(q.Split())
	}
	s.printf("subdirectory split: %s.\n", split)
	var uids, gids []string
	for _, name := range []string{"alias", "qmaild", "qmaill", "root", "qmailp", "qmailq", "qmailr", "qmails"} {
		u, err := account.LookupUser(name)
		uids = append(uids, s.id("user", name, u.UID, err))
	}
	for _, name := range []string{"nofiles", "qmail"} {
		g, err := account.LookupGroup(name)
		gids = append(gids, s.id("group", name, g, err))
	}
	s.printf("user ids: %s.\n", strings.Join(uids, ", "))
	s.printf("group ids: %s.\n", strings.Join(gids, ", "))
}

func (s *shower) id(what, name string, id uint32, err error) string {
	if err != nil {
		s.notice("The %s %s: %v.", what, name, err)
		return "unknown"
	}
	return fmt.Sprint(id)
}

func (s *shower) settings(settings []setting) {
	for _, c := range settings {
		s.setting(c)
	}
}

// setting prints a control file, and tells whether it exists.
func (s *shower) setting(c setting) bool {
	s.printf("\n%s: ", c.file)
	exists, err := false, error(nil)
	if c.kind == list {
		exists, err = s.list(c)
	} else {
		exists, err = s.line(c)
	}
	if err != nil {
		s.printf("Oops! Trouble reading this file.\n")
	}
	return exists || err != nil
}

func (s *shower) list(c setting) (exists bool, err error) {
	entries, exists, err := s.dir.List(c.file)
	switch {
	case err != nil:
		return false, err
	case !exists:
		s.printf("(Default.) %s\n", c.def)
		return false, nil
	}
	s.printf("\n")
	for _, e := range entries {
		s.printf("%s%s%s\n", c.before, printable(e), c.after)
	}
	return true, nil
}

func (s *shower) line(c setting) (exists bool, err error) {
	value, exists, err := s.dir.Line(c.file)
	if err != nil {
		return false, err
	}
	if n, isNumber := control.LeadingNumber(value); exists && c.kind == number {
		value = fmt.Sprint(n)
		if !isNumber {
			exists = false
			s.notice("%s does not begin with a number, so it has no effect.", c.file)
		}
	}
	if !exists {
		s.printf("(Default.) ")
		value = c.def
		if c.kind == name && s.me != nil {
			value = *s.me
		}
	}
	s.printf("%s%s%s\n", c.before, printable(value), c.after)
	return exists, nil
}

// rcpthosts prints the three files that say whose mail is taken.
func (s *shower) rcpthosts() {
	if s.setting(rcpthosts) {
		s.setting(morercpthosts)
	} else {
		s.setting(irrelevantMorercpthosts)
		s.notice("There is no rcpthosts: this host is an open relay.\n"+
			"Anyone can send mail to anywhere through it, and sooner or later somebody will.\n"+
			"List the domains that mail from outside is accepted for in %s.", s.dir.Path(rcpthosts.file))
	}
	s.printf("\n%s: ", morercpthostsCDB)
	text, textErr := os.Stat(s.dir.Path(morercpthosts.file))
	cdb, cdbErr := os.Stat(s.dir.Path(morercpthostsCDB))
	switch {
	case textErr != nil && cdbErr != nil:
		s.printf("(Default.) No effect.\n")
	case textErr != nil:
		s.printf("Oops! morercpthosts.cdb exists but morercpthosts doesn't.\n")
	case cdbErr != nil:
		s.printf("Oops! morercpthosts exists but morercpthosts.cdb doesn't.\n")
	case text.ModTime().Unix() > cdb.ModTime().Unix():
		s.printf("Oops! morercpthosts.cdb is older than morercpthosts.\n")
	default:
		s.printf("Modified recently enough; hopefully up to date.\n")
	}
}

// file looks at a file in control.
func (s *shower) file(f os.DirEntry) {
	if !known(f.Name()) {
		s.printf("\n%s: I have no idea what this file does.\n", printable(f.Name()))
	}
	if info, err := f.Info(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o002 != 0 {
		s.notice("Anyone on this machine can write to %s.", printable(f.Name()))
	}
}

// printable replaces every byte that is no printable ASCII, so that a control file
// cannot play tricks with a terminal.
func printable(s string) string { return excerpt.Printable(s, '?') }
