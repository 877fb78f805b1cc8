package setup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"goqmail/internal/mail/outcome"
	"goqmail/queue"

	"golang.org/x/sys/unix"
)

// Undo takes back what is in the record, the last change first, and tells w about
// each thing that it leaves alone; with all about everything. Where dry, it tells and
// does nothing.
func (s *Setup) Undo(w io.Writer, dry, all bool) error {
	rec, err := s.readRecord()
	if err != nil {
		return err
	}
	if len(rec) == 0 {
		return outcome.Fail("there is no record of a set-up in %s", s.inHome(recordFile))
	}
	u := &undoing{Setup: s, rec: rec, dry: dry, seen: map[string]bool{}}
	if err := u.lookAtQueue(); err != nil {
		return err
	}
	made := slices.ContainsFunc(rec, s.isHome)
	var left record
	var reasons []reason
	for _, c := range slices.Backward(rec) {
		if s.isHome(c) { // has the record in it
			continue
		}
		kept, err := u.undo(c)
		switch {
		case err != nil:
			return fmt.Errorf("unable to undo %q: %w", c, err)
		case kept != "":
			u.kept = true
			left = append(left, c)
			reasons = append(reasons, reason{kept, c.Path})
		case all:
			fmt.Fprintf(w, "undone: %s\n", c)
		}
	}
	tell(w, reasons, all)
	fmt.Fprintf(w, "%d of %d changes undone\n", len(rec)-len(left), len(rec))
	switch {
	case dry:
		return nil
	case len(left) == 0:
		return s.forget(made)
	case made:
		left = append(left, Change{Kind: Directory, Path: s.Install.Home})
	}
	slices.Reverse(left)
	return s.writeRecord(left)
}

// A reason is why a path is left alone.
type reason struct{ text, path string }

// tell says what is left alone. Where many are for the same reason, the last stands
// for them, unless all are wanted: that is the directory that the others are in.
func tell(w io.Writer, reasons []reason, all bool) {
	count := map[string]int{}
	for _, r := range reasons {
		count[r.text]++
	}
	met := map[string]int{}
	for _, r := range reasons {
		met[r.text]++
		switch n := count[r.text]; {
		case all || n <= several:
			fmt.Fprintf(w, "left alone: %s: %s\n", r.path, r.text)
		case met[r.text] == n:
			fmt.Fprintf(w, "left alone: %s, and %d others: %s\n", r.path, n-1, r.text)
		}
	}
}

func (s *Setup) isHome(c Change) bool { return c.Kind == Directory && c.Path == s.Install.Home }

// undoing is what Undo knows.
type undoing struct {
	*Setup
	rec  record
	dry  bool
	mail bool            // there are messages in the queue
	kept bool            // something was left alone
	seen map[string]bool // files of which a later version was met
}

// lookAtQueue finds out whether there is mail in the queue, and that qmail-send does
// not run.
func (u *undoing) lookAtQueue() error {
	dir := u.at(u.inHome("queue"))
	lock, err := queue.LockDir(dir)
	if errors.Is(err, queue.ErrRunning) {
		return outcome.Fail("qmail-send is running: stop the mail system first")
	}
	if err == nil {
		lock.Close()
	}
	q, err := queue.Open(dir)
	if err != nil {
		return nil // no queue, or none that undoing could take mail from: see directory
	}
	for _, kind := range []queue.Kind{queue.Mess, queue.Todo, queue.Intd, queue.Info} {
		for _, err := range q.Numbers(kind) {
			if err == nil {
				u.mail = true
			} else if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// talkDir has nothing of any message: it is where qmail-send listens to qmail-queuectl.
// C qmail does not know it.
const talkDir = "queue/queuectl"

// undo takes one change back, or says why not.
func (u *undoing) undo(c Change) (kept string, err error) {
	if u.mail && strings.HasPrefix(c.Path, u.inHome("queue")) && c.Path != u.inHome(talkDir) {
		return "there is mail in the queue", nil
	}
	switch c.Kind {
	case Group, User:
		return u.account(c)
	case Directory:
		return u.directoryGone(c)
	case File:
		return u.file(c)
	case Lock:
		return "", u.remove(c.Path)
	case Aside:
		return u.putBack(c)
	case Link:
		if target, err := os.Readlink(u.at(c.Path)); err != nil || target != c.Arg {
			return "", nil // it is somebody else's now, or still
		}
		return "", u.remove(c.Path)
	}
	return "", fmt.Errorf("unknown kind %q", c.Kind)
}

// account removes an account, unless there may be files of its: those would belong to
// whoever gets its number next.
func (u *undoing) account(c Change) (kept string, err error) {
	if u.kept {
		return "there are files left that may be of this account", nil
	}
	look, commands := u.Install.Accounts.UID, []string{"userdel", "deluser"}
	if c.Kind == Group {
		look, commands = u.Install.Accounts.GID, []string{"groupdel", "delgroup"}
	}
	if _, err := look(c.Path); err != nil {
		return "", nil
	}
	if u.dry {
		return "", nil
	}
	if err := u.Run(commands[0], c.Path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return "", u.Run(commands[1], c.Path)
}

// directoryGone removes a directory that is empty.
func (u *undoing) directoryGone(c Change) (kept string, err error) {
	if u.dry { // what will be in it is hard to say
		return "", nil
	}
	if c.Path == u.inHome(talkDir) {
		for _, name := range []string{"socket", "paused"} {
			if err := u.remove(c.Path + "/" + name); err != nil {
				return "", err
			}
		}
	}
	err = unix.Rmdir(u.at(c.Path))
	switch err {
	case nil, unix.ENOENT:
		return "", nil
	case unix.ENOTEMPTY, unix.EEXIST, unix.ENOTDIR, unix.EBUSY:
		return "there is something in it", nil
	}
	return "", err
}

// file removes a file that is as set-up has written it last.
func (u *undoing) file(c Change) (kept string, err error) {
	if u.seen[c.Path] {
		return "", nil
	}
	u.seen[c.Path] = true
	there, err := u.exists(c.Path)
	if err != nil || !there || slices.ContainsFunc(u.rec, func(old Change) bool { return old.Path == c.Path && u.still(old) }) {
		return "", err
	}
	now, err := u.sumOf(c.Path)
	if err != nil {
		return "", err
	}
	if now != c.Arg {
		return "it was changed since", nil
	}
	return "", u.remove(c.Path)
}

// still tells whether what was to be kept aside has not been replaced yet.
func (u *undoing) still(c Change) bool {
	if c.Kind != Aside {
		return false
	}
	kept, err := os.Lstat(u.at(c.Arg))
	if err != nil {
		return false
	}
	now, err := os.Lstat(u.at(c.Path))
	return err == nil && os.SameFile(kept, now)
}

// putBack gives what was kept aside its name again.
func (u *undoing) putBack(c Change) (kept string, err error) {
	there, err := u.exists(c.Arg)
	if err != nil || !there {
		return "", err
	}
	if u.still(c) {
		return "", u.remove(c.Arg)
	}
	if u.dry { // what is in its place would be gone by now, or not
		return "", nil
	}
	if there, err = u.exists(c.Path); err != nil {
		return "", err
	}
	if there {
		return "the old one stays at " + c.Arg, nil
	}
	return "", os.Rename(u.at(c.Arg), u.at(c.Path))
}

func (u *undoing) remove(path string) error {
	if u.dry {
		return nil
	}
	if err := os.Remove(u.at(path)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// forget removes the record, and with it what set-up has had for itself; and the home
// if set-up has made it.
func (s *Setup) forget(made bool) error {
	own := s.at(s.inHome(ownDir))
	if err := os.Remove(s.at(s.inHome(recordFile))); err != nil {
		return err
	}
	var dirs []string
	err := filepath.WalkDir(own, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if made {
		dirs = append([]string{s.at(s.Install.Home)}, dirs...)
	}
	for _, dir := range slices.Backward(dirs) {
		if failed := unix.Rmdir(dir); failed != nil && failed != unix.ENOTEMPTY {
			err = errors.Join(err, &fs.PathError{Op: "rmdir", Path: dir, Err: failed})
		}
	}
	return err
}
