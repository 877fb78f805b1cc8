// Package pw2u makes the text of users/assign of a password file, for qmail-pw2u
// (qmail-pw2u(8)). The format is told in host/users.
//
// Each account that is a user gets a line for his name and one for his name with an
// extension; alias gets one more, for everything. What is a user is said by Options
// and by files in the directory users:
//
//	include    if there is such a file: the names of those who are
//	exclude    the names of those who are not
//	mailnames  user:name1:name2:...    names in place of the user's own
//	subusers   sub:user:pre:           another name, whose mail is for home/.qmail-pre
//	append     lines for the end
//
// In the first three, lines that begin with # and white space behind an entry do not
// count, nor does the case of names.
package pw2u

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"goqmail/internal/host/control"
	"goqmail/internal/mail/fold"

	"golang.org/x/sys/unix"
)

// Options say which accounts are users, and what belongs to them.
type Options struct {
	Homes     HomeCheck
	UpperCase bool   // users may have upper case letters in their names
	Separator string // between a name and an extension; empty for no extensions
	Dash      string // what a name with an extension has behind .qmail
}

// A HomeCheck says what is wanted of home directories.
type HomeCheck int

// The checks. With both, a user who does not own his home is passed over.
const (
	HomeOrSkip HomeCheck = iota // without a home, an account is passed over
	HomeOrStop                  // a user without a home is an error
	NoHome                      // nobody looks
)

// MaxLine is the longest line of a password file or users/subusers, in bytes.
const MaxLine = 64 << 10

// Print reads a password file and prints assignments. A text that was cut off by an
// error has no last line "."; qmail-newu does not take it.
func Print(home string, o Options, passwd io.Reader, assign io.Writer) error {
	if _, err := os.Stat(home); err != nil {
		return errors.New("unable to chdir")
	}
	p := printer{Options: o, dir: filepath.Join(home, "users"), w: bufio.NewWriter(assign), owners: make(map[string]string)}
	if err := p.readNames(); err != nil {
		return errors.New("unable to read controls")
	}
	for _, step := range []func() error{
		func() error { return eachLine(passwd, errInput, p.account) },
		p.checkAlias,
		func() error {
			return p.file("subusers", func(f io.Reader) error { return eachLine(f, errControls, p.subuser) })
		},
		func() error { return p.file("append", p.append) },
	} {
		if err := step(); err != nil {
			p.w.Flush()
			return err
		}
	}
	p.w.WriteString(".\n")
	if err := p.w.Flush(); err != nil {
		return errors.New("unable to write output")
	}
	return nil
}

var (
	errInput    = errors.New("unable to read input")
	errControls = errors.New("unable to read controls")
)

// A printer prints the assignments of one password file. Errors of writing show when
// the writer is flushed.
type printer struct {
	Options
	dir       string
	w         *bufio.Writer
	included  fold.Set // nil: all
	excluded  fold.Set
	mailNames fold.Map

	owners map[string]string // the middle of the lines of a user, by name in lower case
	alias  bool
}

func (p *printer) readNames() error {
	include, exists, err := p.list("include")
	if err != nil {
		return err
	}
	if exists {
		p.included = fold.NewSet(include)
	}
	exclude, _, err := p.list("exclude")
	if err != nil {
		return err
	}
	p.excluded = fold.NewSet(exclude)
	names, _, err := p.list("mailnames")
	p.mailNames = fold.NewMap(names)
	return err
}

func (p *printer) list(name string) (entries []string, exists bool, err error) {
	err = p.file(name, func(f io.Reader) error {
		exists = true
		entries, err = control.ReadList(f)
		return err
	})
	return entries, exists, err
}

// file gives a file in users to use, if there is one.
func (p *printer) file(name string, use func(io.Reader) error) error {
	f, err := os.Open(filepath.Join(p.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return errControls
	}
	defer f.Close()
	return use(f)
}

// account prints the lines for a line of the password file. One that is not an
// account of a user is passed over.
func (p *printer) account(line string) error {
	f := strings.Split(line, ":")
	if len(f) < 7 || strings.IndexByte(line, 0) >= 0 {
		return nil
	}
	name, uid, gid, home := f[0], f[2], f[3], f[5]
	number, _ := control.LeadingNumber(uid)
	switch {
	case number == 0,
		!p.UpperCase && fold.Lower(name) != name,
		p.included != nil && !p.included.Has(name),
		p.excluded.Has(name):
		return nil
	}
	if ok, err := p.checkHome(home, number); !ok {
		return err
	}
	owner := ":" + name + ":" + uid + ":" + gid + ":" + home + ":"
	p.owners[fold.Lower(name)] = owner
	if name == alias {
		p.alias = true
		p.w.WriteString("+" + owner + p.Dash + "::\n")
	}
	names, ok := p.mailNames.Get(name)
	if !ok {
		names = name
	}
	for name := range strings.SplitSeq(names, ":") {
		if name != "" {
			p.name(name, owner, "", "", p.Dash, "")
		}
	}
	return nil
}

// name prints the line for a name, and if there are extensions the one for the name
// with an extension.
func (p *printer) name(name, owner, dash, ext, longDash, longExt string) {
	fmt.Fprintf(p.w, "=%s%s%s:%s:\n", name, owner, dash, ext)
	if p.Separator != "" {
		fmt.Fprintf(p.w, "+%s%s%s%s:%s:\n", name, p.Separator, owner, longDash, longExt)
	}
}

// checkHome tells whether a home directory is as is wanted.
func (p *printer) checkHome(home string, owner uint64) (ok bool, err error) {
	if p.Homes == NoHome {
		return true, nil
	}
	var st unix.Stat_t
	err = unix.Stat(home, &st)
	if err == nil {
		return uint64(st.Uid) == owner, nil
	}
	if err == unix.ENOENT && p.Homes == HomeOrSkip {
		return false, nil
	}
	return false, fmt.Errorf("unable to stat %s", home)
}

const alias = "alias"

func (p *printer) checkAlias() error {
	if !p.alias {
		return fmt.Errorf("unable to find %s user", alias)
	}
	return nil
}

// subuser prints the lines for a line of users/subusers.
func (p *printer) subuser(line string) error {
	f := strings.Split(line, ":")
	if len(f) < 4 {
		return nil
	}
	owner, ok := p.owners[fold.Lower(f[1])]
	if !ok {
		return fmt.Errorf("unable to find %s user for subuser", f[1])
	}
	p.name(f[0], owner, p.Dash, f[2], p.Dash, f[2]+"-")
	return nil
}

// append copies lines, and completes the last one.
func (p *printer) append(f io.Reader) error {
	last := lastByte('\n')
	if _, err := io.Copy(p.w, io.TeeReader(f, &last)); err != nil {
		return errControls
	}
	if last != '\n' {
		p.w.WriteByte('\n')
	}
	return nil
}

// A lastByte remembers the last byte written.
type lastByte byte

func (l *lastByte) Write(p []byte) (int, error) {
	if len(p) > 0 {
		*l = lastByte(p[len(p)-1])
	}
	return len(p), nil
}

// eachLine gives the lines of a file, without their ends, to a function.
func eachLine(r io.Reader, unreadable error, use func(line string) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, MaxLine)
	for lines.Scan() {
		if err := use(lines.Text()); err != nil {
			return err
		}
	}
	if lines.Err() != nil {
		return unreadable
	}
	return nil
}
