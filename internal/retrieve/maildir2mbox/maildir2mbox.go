// Package maildir2mbox moves the mail of a maildir to the end of an mbox, for mail
// readers that know nothing but that (maildir2mbox(1)).
//
// In this order, so that a crash at any point loses nothing:
//
//	lock       the mbox, against deliveries and mail readers, and a temporary file
//	           that will be the mbox
//	copy       the mbox, and behind it the messages, the oldest first, to the
//	           temporary file
//	sync       the temporary file
//	rename     it to the mbox
//	sync       the directory of the mbox
//	remove     the messages from the maildir
//
// A crash before the rename leaves everything as it was. One behind it may leave
// messages in both places: they will be moved, and seen, once more.
package maildir2mbox

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strings"
	"time"

	"goqmail/internal/host/durable"
	"goqmail/internal/host/errno"
	"goqmail/internal/host/mailbox"
	"goqmail/internal/mail/mboxrd"
	"goqmail/internal/retrieve/maildir"
)

// forever is how long the lock of the mbox is waited for.
const forever time.Duration = math.MaxInt64

// A Move is what to move where. Paths that do not begin with a slash begin in the
// maildir, but for that of the maildir itself.
type Move struct {
	Maildir   string
	Mbox      string
	Temporary string // overwritten; on the filesystem of the mbox

	Warnings io.Writer // lines
	Now      func() time.Time
}

// Run makes the move that the environment asks for, where lookup is os.LookupEnv: it is all of what maildir2mbox
// does, and the first half of what its three wrappers do.
func Run(lookup func(string) (string, bool), warnings io.Writer, now func() time.Time) error {
	m, err := fromEnvironment(lookup)
	if err != nil {
		return err
	}
	m.Warnings, m.Now = warnings, now
	return m.Run()
}

// fromEnvironment takes the paths from the environment.
func fromEnvironment(lookup func(string) (string, bool)) (Move, error) {
	var m Move
	for _, v := range []struct {
		name string
		path *string
	}{{"MAIL", &m.Mbox}, {"MAILTMP", &m.Temporary}, {"MAILDIR", &m.Maildir}} {
		var set bool
		if *v.path, set = lookup(v.name); !set {
			return m, fmt.Errorf("%s not set", v.name)
		}
	}
	m.Mbox, m.Temporary = m.path(m.Mbox), m.path(m.Temporary)
	return m, nil
}

// path resolves a name as if the maildir were the working directory.
func (m Move) path(name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	return m.Maildir + "/" + name
}

// Run moves the messages that are there. Without any it touches nothing.
func (m Move) Run() error {
	if _, err := os.Stat(m.Maildir + "/."); err != nil {
		return fmt.Errorf("unable to chdir to %s: %s", m.Maildir, errno.Text(err))
	}
	maildir.Clean(m.Maildir, m.Now())
	messages, err := m.scan()
	if len(messages) == 0 || err != nil {
		return err
	}
	mbox, err := mailbox.Open(m.Mbox)
	if err == nil {
		defer mbox.Close()
		err = lock(mbox)
	}
	if err != nil {
		return fmt.Errorf("unable to lock %s: %s", m.Mbox, errno.Text(err))
	}
	// Somebody else may have moved them meanwhile.
	messages, err = m.scan()
	if len(messages) == 0 || err != nil {
		return err
	}
	tmp, err := m.create()
	if err != nil {
		return fmt.Errorf("unable to create %s: %s", m.Temporary, errno.Text(err))
	}
	defer tmp.Close()
	if err := m.replace(tmp, messages); err != nil {
		return err
	}
	m.remove(messages)
	return nil
}

func (m Move) scan() ([]maildir.Message, error) {
	messages, err := maildir.Scan(m.Maildir, m.Now(), maildir.New, maildir.Cur)
	var path *fs.PathError
	if errors.As(err, &path) {
		err = fmt.Errorf("unable to scan $MAILDIR/%s: %s", path.Path, errno.Text(err))
	}
	return messages, err
}

// lock waits for the lock of a file.
func lock(f *mailbox.File) error {
	err := f.Lock(forever)
	if err == nil && !f.Locked {
		err = errors.New("its filesystem knows no locks")
	}
	return err
}

// create empties the temporary file, or makes it, with the mode of the mbox. It is
// locked, as the mbox that it will be. That it is another file is looked at first.
func (m Move) create() (*mailbox.File, error) {
	f, err := mailbox.Open(m.Temporary)
	if err != nil {
		return nil, err
	}
	mbox, err := os.Stat(m.Mbox)
	info, statErr := f.Stat()
	if err = errors.Join(err, statErr); err == nil && os.SameFile(mbox, info) {
		err = errors.New("it is the mbox itself")
	}
	if err == nil {
		err = lock(f)
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		err = f.Chmod(mbox.Mode().Perm())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// replace fills the temporary file and puts it in place of the mbox.
func (m Move) replace(tmp *mailbox.File, messages []maildir.Message) error {
	if err := m.fill(tmp, messages); err != nil {
		os.Remove(m.Temporary)
		return err
	}
	if err := os.Rename(m.Temporary, m.Mbox); err != nil {
		os.Remove(m.Temporary)
		return fmt.Errorf("unable to move %s to %s: %s", m.Temporary, m.Mbox, errno.Text(err))
	}
	dir := m.Mbox[:strings.LastIndexByte(m.Mbox, '/')+1]
	if err := durable.Names(dir, m.Mbox); err != nil {
		return fmt.Errorf("unable to sync %s: %s", dir, errno.Text(err))
	}
	return nil
}

// fill writes the mbox and the messages to the temporary file.
func (m Move) fill(tmp *mailbox.File, messages []maildir.Message) error {
	old, err := os.Open(m.Mbox)
	if err != nil {
		return fmt.Errorf("unable to read %s: %s", m.Mbox, errno.Text(err))
	}
	defer old.Close()
	w := bufio.NewWriterSize(tmp, 64<<10)
	if err := m.copy(w, old, m.Mbox); err != nil {
		return err
	}
	for _, message := range messages {
		if err := m.append(w, message); err != nil {
			return err
		}
	}
	if err = w.Flush(); err == nil {
		err = tmp.Sync()
	}
	return m.writeError(err)
}

// append writes a message as it stands in an mbox.
func (m Move) append(w io.Writer, message maildir.Message) error {
	name := "$MAILDIR/" + message.Name
	f, err := os.Open(m.Maildir + "/" + message.Name)
	if err != nil {
		return fmt.Errorf("unable to read %s: %s", name, errno.Text(err))
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 16<<10)
	begin, _ := r.Peek(r.Size()) // an error comes again
	if _, err := io.WriteString(w, mboxrd.FromLine(sender(begin), message.Delivered)); err != nil {
		return m.writeError(err)
	}
	q := mboxrd.NewQuoter(w)
	if err := m.copy(q, r, name); err != nil {
		return err
	}
	return m.writeError(q.Close())
}

// sender is the envelope sender that the first line of a message has, if that is a
// Return-Path line as qmail-local writes them.
func sender(begin []byte) string {
	line, _, whole := bytes.Cut(begin, []byte("\n"))
	address, found := bytes.CutPrefix(line, []byte("Return-Path: <"))
	if !whole || !found || len(address) == 0 {
		return "XXX"
	}
	return string(address[:len(address)-1])
}

// copy copies what is called name to the temporary file.
func (m Move) copy(w io.Writer, r io.Reader, name string) error {
	s := &source{r: r}
	_, err := io.Copy(w, s)
	if s.err != nil {
		return fmt.Errorf("unable to read %s: %s", name, errno.Text(s.err))
	}
	return m.writeError(err)
}

// A source tells the errors of reading from those of writing.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func (m Move) writeError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("unable to write to %s: %s", m.Temporary, errno.Text(err))
}

// remove removes the messages, which are in the mbox now, from the maildir.
func (m Move) remove(messages []maildir.Message) {
	for _, message := range messages {
		if err := os.Remove(m.Maildir + "/" + message.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(m.Warnings, "maildir2mbox: warning: $MAILDIR/%s will be delivered twice; unable to unlink: %s\n", message.Name, errno.Text(err))
		}
	}
}
