// Package mend finds out what is wrong with the files of a queue, and puts it right
// (qmail-queuectl(8), check and repair). A queue that was restored from a backup, or copied
// to another filesystem, needs it: the number of a message must be the inode number of
// its mess file (package queue), and a copy has others; and a copy made by root belongs
// to root.
//
// # What is looked for
//
//   - directories, owners and modes, the trigger, the lock (package install)
//   - files in a subdirectory where they do not belong (package upq)
//   - the owner and mode of each file of a message
//   - mess/N with another inode number than N
//   - files of messages without mess/N, or lists and notes without info/N
//   - lists and envelopes that are not made of records, or cut off. Nobody can tell what
//     is missing, so these are found, and stay as they are
//
// # Renumbering
//
// The new number M of message N may be the old one of another message. So all files of
// N first become M.new, and when no file has a wrong number any more, each M.new
// becomes M. Whatever the moment of a crash, running it again goes on from there:
//
//  1. info, todo, bounce, local, remote, intd of N become M.new; synced
//  2. mess/N becomes mess/M.new; synced. As long as it is N, M is to be had from it
//  3. all M.new become M, info and todo last, so that no program takes a message for
//     whole that is not
//
// During all that the queue is closed by the barrier of package upq, which also stays
// after a crash, and qmail-send is kept out by its lock.
//
// # What is never done
//
// Nothing is removed. A file that belongs to no message gets a name that ends in .orphan,
// which no program of the mail system looks at, for a human to decide.
package mend

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"goqmail/internal/admin/install"
	"goqmail/internal/admin/upq"
	"goqmail/internal/host/durable"
	"goqmail/internal/mail/outcome"
	"goqmail/queue"

	"golang.org/x/sys/unix"
)

// fresh is what the name of a file ends in that gets its new number.
const fresh = ".new"

// A survey is what was found in a queue.
type survey struct {
	dir   string
	split uint64
	owner map[queue.Kind]uint32
	of    map[queue.Number]kinds        // files by number
	fresh map[queue.Number]kinds        // files with new numbers, not there yet
	inode map[queue.Number]queue.Number // what the number of a message should be, if it is another
}

// kinds is a set of kinds, a bit for each.
type kinds uint8

// all are the kinds in the order in which a message is taken apart: what makes it known
// to qmail-send first, its text last.
var all = []queue.Kind{queue.Info, queue.Todo, queue.Bounce, queue.Local, queue.Remote, queue.Intd, queue.Mess}

func bit(k queue.Kind) kinds {
	for i, other := range all {
		if k == other {
			return 1 << i
		}
	}
	return 0
}

// A file is one found in the queue.
type file struct {
	kind   queue.Kind
	number queue.Number
	fresh  bool
	part   string // the directory that it is in, below the queue
	name   string
	st     unix.Stat_t
}

func (f file) path() string { return f.part + "/" + f.name }

func newSurvey(dir string, split uint64, accounts install.Accounts) (*survey, error) {
	s := &survey{dir: dir, split: split, owner: map[queue.Kind]uint32{}, of: map[queue.Number]kinds{}, fresh: map[queue.Number]kinds{}, inode: map[queue.Number]queue.Number{}}
	for _, k := range all {
		user := "qmails"
		switch k {
		case queue.Mess, queue.Todo, queue.Intd:
			user = "qmailq"
		}
		uid, err := accounts.UID(user)
		if err != nil {
			return nil, err
		}
		s.owner[k] = uid
	}
	return s, nil
}

// parts are the directories of a kind, below the queue.
func (s *survey) parts(k queue.Kind) []string {
	switch k {
	case queue.Todo, queue.Intd, queue.Bounce:
		return []string{string(k)}
	}
	var list []string
	for i := range s.split {
		list = append(list, string(k)+"/"+strconv.FormatUint(i, 10))
	}
	return list
}

// part is the directory of one message.
func (s *survey) part(k queue.Kind, n queue.Number) string {
	parts := s.parts(k)
	return parts[uint64(n)%uint64(len(parts))]
}

// each goes through the files of a kind. What is no file of a message is passed over.
func (s *survey) each(k queue.Kind, do func(file) error) error {
	for _, part := range s.parts(k) {
		entries, err := os.ReadDir(filepath.Join(s.dir, part))
		if err != nil {
			return err
		}
		for _, e := range entries {
			f := file{kind: k, part: part, name: e.Name()}
			var number string
			number, f.fresh = strings.CutSuffix(f.name, fresh)
			var ok bool
			if f.number, ok = queue.ParseNumber(number); !ok {
				continue
			}
			err := unix.Lstat(filepath.Join(s.dir, f.path()), &f.st)
			if err == unix.ENOENT {
				continue // it went away meanwhile
			}
			if err != nil {
				return &fs.PathError{Op: "lstat", Path: f.path(), Err: err}
			}
			if f.st.Mode&unix.S_IFMT != unix.S_IFREG {
				continue
			}
			if err := do(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// count notes which files there are.
func (s *survey) count() error {
	clear(s.of)
	clear(s.fresh)
	clear(s.inode)
	for _, k := range all {
		err := s.each(k, func(f file) error {
			if f.fresh {
				s.fresh[f.number] |= bit(k)
				return nil
			}
			s.of[f.number] |= bit(k)
			if k == queue.Mess && f.st.Ino != uint64(f.number) {
				s.inode[f.number] = queue.Number(f.st.Ino)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// orphans tells which files of a message are nobody's: all, where its text is missing, and
// where that is there but the envelope sender is not, so that the next qmail-send would
// take it for the remains of a crash, and remove it. What an interrupted repair has given
// a new number counts.
func (s *survey) orphans(n queue.Number) (kinds, string) {
	there := s.of[n]
	has := there | s.fresh[n] | s.fresh[s.inode[n]]
	switch {
	case has&bit(queue.Mess) == 0:
		return there, "there is no message of this number"
	case has&(bit(queue.Info)|bit(queue.Todo)) == 0 && has&(bit(queue.Local)|bit(queue.Remote)|bit(queue.Bounce)) != 0:
		return there, "there is no info file of this number, so nobody knows the sender"
	}
	return 0, ""
}

// mode is what the permissions of a file should be.
func mode(f file) uint32 {
	now := f.st.Mode & 0o7777
	switch f.kind {
	case queue.Mess, queue.Todo, queue.Intd:
		return 0o644
	case queue.Local, queue.Remote:
		return queue.MarkOf(now).Mode()
	}
	return 0o600
}

// lax tells whether permissions of a list that are not the usual ones do no harm: C qmail
// may have made it with others, and the directory keeps everybody out.
func lax(f file) bool {
	now := f.st.Mode & 0o7777
	return now == mode(f) || f.kind != queue.Mess && f.kind != queue.Todo && now&0o7600 == 0o600 && now&0o111 == 0
}

// Check returns a line for each thing that is wrong with the queue of a home. While mail
// comes and goes, it looks twice before it says so.
func Check(home string, accounts install.Accounts) ([]string, error) {
	wrong, err := install.Plan{Home: home, Accounts: accounts}.VerifyQueue()
	if err != nil {
		return wrong, err
	}
	dir := home + "/queue"
	q, err := queue.Open(dir)
	if err != nil {
		return wrong, err
	}
	s, err := newSurvey(dir, q.Split(), accounts)
	if err != nil {
		return wrong, err
	}
	if err := s.count(); err != nil {
		return wrong, err
	}
	say := func(path, format string, args ...any) {
		wrong = append(wrong, "queue/"+path+": "+fmt.Sprintf(format, args...))
	}
	for _, k := range all {
		err := s.each(k, func(f file) error {
			if f.fresh {
				say(f.path(), "is left of a repair that was interrupted")
				return nil
			}
			if part := s.part(k, f.number); f.part != part {
				say(f.path(), "belongs into %s", part)
			}
			if f.st.Uid != s.owner[k] {
				say(f.path(), "owner is number %d, should be number %d", f.st.Uid, s.owner[k])
			}
			if !lax(f) {
				say(f.path(), "mode %04o, should be %04o", f.st.Mode&0o7777, mode(f))
			}
			if k == queue.Mess && f.st.Ino != uint64(f.number) {
				say(f.path(), "has inode number %d", f.st.Ino)
			}
			if why := s.unreadable(f); why != "" {
				say(f.path(), "%s", why)
			}
			if _, why := s.orphans(f.number); why != "" && s.stillOrphan(f) {
				say(f.path(), "%s", why)
			}
			return nil
		})
		if err != nil {
			return wrong, err
		}
	}
	return wrong, nil
}

// unreadable tells what is wrong inside a file of records. Those of a message in todo may
// be incomplete, since they are written anew.
func (s *survey) unreadable(f file) string {
	switch f.kind {
	case queue.Info, queue.Local, queue.Remote:
		if s.of[f.number]&bit(queue.Todo) != 0 {
			return ""
		}
	case queue.Todo:
	default:
		return ""
	}
	text, err := os.Open(filepath.Join(s.dir, f.path()))
	if errors.Is(err, fs.ErrNotExist) {
		return "" // it went away meanwhile
	}
	if err != nil {
		return "cannot be read: " + err.Error()
	}
	defer text.Close()
	records := queue.NewRecordReader(text, 0)
	for err == nil {
		_, err = records.Next()
	}
	switch {
	case err == io.EOF:
		return ""
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "is cut off in the middle of a record"
	}
	return err.Error()
}

// stillOrphan looks again whether a file belongs to no message.
func (s *survey) stillOrphan(f file) bool {
	again := survey{split: s.split, of: map[queue.Number]kinds{}, fresh: s.fresh, inode: s.inode}
	for _, k := range all {
		var st unix.Stat_t
		if unix.Lstat(filepath.Join(s.dir, s.part(k, f.number), f.number.String()), &st) == nil {
			again.of[f.number] |= bit(k)
		}
	}
	set, _ := again.orphans(f.number)
	return set&bit(f.kind) != 0
}

// Repair puts the queue of a home right, and returns lines about what it did. A split is
// only needed where the queue's own cannot be seen. In the end it checks the queue.
func Repair(home string, accounts install.Accounts, split uint64) (done []string, err error) {
	dir := home + "/queue"
	plan := install.Plan{Home: home, Accounts: accounts}
	lock, err := queue.LockDir(dir)
	if errors.Is(err, fs.ErrNotExist) { // the lock is among what is to be repaired
		if err = plan.InstallQueue(); err == nil {
			lock, err = queue.LockDir(dir)
		}
	}
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	wrong, err := plan.VerifyQueue()
	if err != nil {
		return nil, err
	}
	for _, line := range wrong {
		done = append(done, "putting right "+line)
	}
	if err := plan.InstallQueue(); err != nil {
		return done, err
	}
	moved, err := upq.ArrangeLocked(dir, split, func(split uint64) error {
		s, err := newSurvey(dir, split, accounts)
		if err != nil {
			return err
		}
		r := repair{survey: s}
		err = r.run()
		done = append(done, r.done...)
		return err
	})
	if moved > 0 {
		done = append(done, fmt.Sprintf("moved %d files to where they belong", moved))
	}
	if err != nil {
		return done, err
	}
	wrong, err = Check(home, accounts)
	if err == nil && len(wrong) > 0 {
		err = outcome.Fail("still not right: %s", strings.Join(wrong, "; "))
	}
	if err == nil {
		done = append(done, "the queue is in order")
	}
	return done, err
}

// A repair is one on its way.
type repair struct {
	*survey
	done []string

	// crash, in tests, stops before a rename.
	crash func() bool
}

var errCrash = errors.New("crash")

func (r *repair) say(format string, args ...any) {
	r.done = append(r.done, fmt.Sprintf(format, args...))
}

func (r *repair) run() error {
	if err := r.own(); err != nil {
		return err
	}
	if err := r.count(); err != nil {
		return err
	}
	for n := range r.of {
		if err := r.setAside(n); err != nil {
			return err
		}
	}
	return r.renumber()
}

// own gives files their owners and modes.
func (r *repair) own() error {
	count := 0
	for _, k := range all {
		err := r.each(k, func(f file) error {
			path := filepath.Join(r.dir, f.path())
			if f.st.Uid == r.owner[k] && lax(f) {
				return nil
			}
			count++
			if err := os.Lchown(path, int(r.owner[k]), -1); err != nil {
				return err
			}
			if lax(f) {
				return nil
			}
			return os.Chmod(path, fs.FileMode(mode(f)))
		})
		if err != nil {
			return err
		}
	}
	if count > 0 {
		r.say("put the owner or mode of %d files right", count)
	}
	return nil
}

// setAside renames the files of a message that belong to none.
func (r *repair) setAside(n queue.Number) error {
	set, why := r.orphans(n)
	for _, k := range all {
		if set&bit(k) == 0 {
			continue
		}
		name := r.part(k, n) + "/" + n.String()
		if err := r.rename(name, name+install.Aside); err != nil {
			return err
		}
		r.say("set aside %s%s: %s", name, install.Aside, why)
	}
	return nil
}

// rename renames a file, below the queue, to a name that nothing has.
func (r *repair) rename(from, to string) error {
	if r.crash != nil && r.crash() {
		return errCrash
	}
	err := unix.Renameat2(unix.AT_FDCWD, filepath.Join(r.dir, from), unix.AT_FDCWD, filepath.Join(r.dir, to), unix.RENAME_NOREPLACE)
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// sync makes the names in the directories of kinds durable.
func (r *repair) sync(list ...queue.Kind) error {
	for _, k := range list {
		for _, part := range r.parts(k) {
			if err := durable.Directory(filepath.Join(r.dir, part)); err != nil {
				return err
			}
		}
	}
	return nil
}

// renumber gives each message the number of its inode.
func (r *repair) renumber() error {
	but := all[:len(all)-1] // but for mess
	if err := r.renumberKinds(but); err != nil {
		return err
	}
	if err := r.renumberKinds([]queue.Kind{queue.Mess}); err != nil {
		return err
	}
	for _, list := range [][]queue.Kind{{queue.Mess, queue.Intd, queue.Bounce, queue.Local, queue.Remote}, {queue.Todo, queue.Info}} {
		for _, k := range list {
			err := r.each(k, func(f file) error {
				if !f.fresh {
					return nil
				}
				return r.rename(f.path(), f.part+"/"+f.number.String())
			})
			if err != nil {
				return err
			}
		}
		if err := r.sync(list...); err != nil {
			return err
		}
	}
	if len(r.inode) > 0 {
		r.say("gave %d messages the numbers of their inodes", len(r.inode))
	}
	return nil
}

// renumberKinds renames files of some kinds to their new numbers, not yet for good.
func (r *repair) renumberKinds(list []queue.Kind) error {
	for old, n := range r.inode {
		for _, k := range list {
			err := r.rename(r.part(k, old)+"/"+old.String(), r.part(k, n)+"/"+n.String()+fresh)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return r.sync(list...)
}
