package queue

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// What an Entry can fail at, for errors.Is. qmail-queue has an exit code for
// each. The error wrapped with it tells the cause.
var (
	ErrPid   = errors.New("unable to create a file in pid")
	ErrMess  = errors.New("unable to create the mess file")
	ErrIntd  = errors.New("unable to create the intd file")
	ErrTodo  = errors.New("unable to create the todo file")
	ErrWrite = errors.New("unable to write or sync a file")
	ErrDeath = errors.New("the message took too long to come in")
)

// An Entry is a message on its way into the queue. The caller writes the message
// to Message, then the envelope to Envelope, then commits. Until then, Abort
// takes it back.
//
//	S1  Begin     a file without a name is made; its inode number is the message's
//	S2            it gets the name mess/N; Message is open
//	S3  Envelope  intd/N is made, likewise
//	S4  Commit    todo/N is linked
//
// On a filesystem that has no files without names, and where /proc is missing, the
// message begins as pid/X, as in qmail, and is renamed. Where nothing can be made in
// pid, it does not begin in the other way either: who closes pid closes the queue.
type Entry struct {
	Number  Number
	Message *File

	q        *Queue
	begun    time.Time
	envelope *File
}

// attempts is how many names in pid are tried.
const attempts = 9

// create opens a file that was not there.
const create = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL

// Begin makes the mess file of a new message. Files get mode 0644; qmail-send must
// be able to read them, so the umask of the process must not take that away.
func (q *Queue) Begin(now time.Time) (*Entry, error) {
	const writable = unix.W_OK | unix.X_OK
	if err := unix.Faccessat(unix.AT_FDCWD, q.join(pids), writable, unix.AT_EACCESS); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPid, &os.PathError{Op: "access", Path: q.join(pids), Err: err})
	}
	f, err := q.unnamed()
	if err != nil {
		return q.beginInPid(now)
	}
	n, err := f.number()
	if err == nil {
		err = f.name(q.Path(Mess, n))
	}
	if err != nil {
		f.Close()
		return q.beginInPid(now)
	}
	return &Entry{Number: n, Message: f, q: q, begun: now}, nil
}

// beginInPid is Begin by way of pid.
func (q *Queue) beginInPid(now time.Time) (*Entry, error) {
	var pid string
	var f *File
	err := error(unix.EEXIST)
	for i := 0; i < attempts && errors.Is(err, unix.EEXIST); i++ {
		pid = q.join(pids, fmt.Sprintf("%d.%d.%d", os.Getpid(), now.Unix(), q.begun.Add(1)))
		f, err = open(pid, create, 0o644)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPid, err)
	}
	n, err := f.number()
	if err != nil {
		f.Close()
		os.Remove(pid)
		return nil, fmt.Errorf("%w: %w", ErrPid, err)
	}
	if err := rename(pid, q.Path(Mess, n)); err != nil {
		f.Close()
		os.Remove(pid)
		return nil, fmt.Errorf("%w: %w", ErrMess, err)
	}
	return &Entry{Number: n, Message: f, q: q, begun: now}, nil
}

// unnamed makes a file that has no name yet. It is made near one of the subdirectories of
// mess, each in its turn: a filesystem puts a file near its directory, and ext4 without a
// journal is slow where many have been removed of late; all files of one directory would
// be near each other (docs/design/queue.md).
func (q *Queue) unnamed() (*File, error) {
	if q.named.Load() {
		return nil, errors.ErrUnsupported
	}
	turn := q.begun.Add(1) % q.split
	f, err := open(q.join(string(Mess), strconv.FormatUint(turn, 10)), unix.O_WRONLY|unix.O_TMPFILE, 0o644)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) {
		q.named.Store(true)
	}
	return f, err
}

// rename gives a file a new name that nothing has yet.
func rename(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if err == unix.EINVAL || err == unix.ENOSYS { // a filesystem that cannot do it in one step
		if err := os.Link(from, to); err != nil {
			return err
		}
		return os.Remove(from)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// Envelope makes the intd file and returns it for writing.
func (e *Entry) Envelope() (*File, error) {
	path := e.q.Path(Intd, e.Number)
	f, err := e.q.unnamed()
	if err == nil {
		if err = f.name(path); err != nil {
			f.Close()
		}
	}
	if err != nil {
		f, err = open(path, create, 0o644)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIntd, err)
	}
	e.envelope = f
	return f, nil
}

// Commit makes the message durable, puts it into the queue, and makes that
// durable too. When it returns nil, not even a power cut loses the message.
//
// The order is: the message with its name mess/N, and the envelope, all at the
// same time so that the filesystem can write them in one go; then the link todo/N;
// then the directory todo. The link must come after the contents, or a crash could
// leave a torn message queued; and without the last sync the link itself could be
// lost after the message was accepted. The name intd/N may be lost: from S4 on
// nothing needs it.
//
// Where the link or the last sync fails, the message may be queued or not. Its
// files stay, for a duplicate is better than a loss, and the caller tells the
// sender to try again.
//
// A message that was begun more than Death ago by the wall clock is taken back
// instead: its files may be about to be removed as those of a dead qmail-queue. They may
// have been removed already, where the clock was ahead for a moment: then intd/N was made
// afterwards, or there is nothing to link.
func (e *Entry) Commit(now time.Time) error {
	defer e.close()
	if now.Unix()-e.begun.Unix() >= int64(Death/time.Second) {
		e.remove()
		return ErrDeath
	}
	err := errors.Join(SyncTogether(
		e.Message.Sync,
		e.envelope.Sync,
		func() error { return e.q.SyncDirectory(Mess, e.Number) },
	)...)
	if err != nil {
		e.remove()
		return fmt.Errorf("%w: %w", ErrWrite, err)
	}
	if err := e.Message.there(); err != nil {
		e.remove()
		return fmt.Errorf("%w: %w", ErrMess, err)
	}
	todo := e.q.Path(Todo, e.Number)
	if err := os.Link(e.q.Path(Intd, e.Number), todo); err != nil {
		return fmt.Errorf("%w: %w", ErrTodo, err)
	}
	if err := e.q.SyncDirectory(Todo, e.Number); err != nil {
		return fmt.Errorf("%w: %w", ErrTodo, err)
	}
	return nil
}

// Abort takes a message back that was not committed.
func (e *Entry) Abort() {
	e.remove()
	e.close()
}

// remove goes back to S1, intd first: mess must not go while intd is there. The
// files are emptied first, so that the space is free even where a name cannot be
// removed.
func (e *Entry) remove() {
	if e.envelope != nil {
		e.envelope.truncate()
		if err := os.Remove(e.q.Path(Intd, e.Number)); err != nil {
			return
		}
	}
	e.Message.truncate()
	os.Remove(e.q.Path(Mess, e.Number))
}

func (e *Entry) close() {
	e.Message.Close()
	if e.envelope != nil {
		e.envelope.Close()
	}
}
