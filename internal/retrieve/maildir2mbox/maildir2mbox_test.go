package maildir2mbox

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"goqmail/internal/host/mailbox"
	"goqmail/internal/mail/outcome"

	"golang.org/x/sys/unix"
)

var now = time.Date(2026, 11, 24, 14, 5, 0, 0, time.UTC)

// A home has a maildir, an mbox perhaps, and a place for the temporary file.
type home struct {
	t   *testing.T
	dir string
}

// newHome makes a home with the messages in its maildir: "new/2" is two minutes
// old.
func newHome(t *testing.T, messages map[string]string) home {
	t.Helper()
	h := home{t, t.TempDir()}
	for _, sub := range []string{"", "/tmp", "/new", "/cur"} {
		h.must(os.Mkdir(h.dir+"/Maildir"+sub, 0o700))
	}
	for name, text := range messages {
		path := h.dir + "/Maildir/" + name
		h.must(os.WriteFile(path, []byte(text), 0o600))
		when := now.Add(-time.Duration(name[4]-'0') * time.Minute)
		h.must(os.Chtimes(path, when, when))
	}
	return h
}

func (h home) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h home) move() Move {
	return Move{
		Maildir: h.dir + "/Maildir", Mbox: h.dir + "/Mailbox", Temporary: h.dir + "/Mailbox.tmp",
		Warnings: &strings.Builder{}, Now: func() time.Time { return now },
	}
}

func (h home) mbox() string {
	text, _ := os.ReadFile(h.dir + "/Mailbox")
	return string(text)
}

// left lists what is in the maildir, and the temporary file if there is one.
func (h home) left() string {
	files, _ := filepath.Glob(h.dir + "/Maildir/*/*")
	tmp, _ := filepath.Glob(h.dir + "/Mailbox.tmp")
	var names []string
	for _, f := range append(files, tmp...) {
		names = append(names, strings.TrimPrefix(f, h.dir+"/Maildir/"))
	}
	return strings.Join(names, " ")
}

func TestRun(t *testing.T) {
	long := strings.Repeat("x", 100000)
	for _, c := range []struct {
		name     string
		messages map[string]string
		before   string
		want     string
		left     string
	}{
		{"nothing", nil, "old\n", "old\n", ""},
		{"nothing, no mbox", nil, "", "", ""},
		{"one", map[string]string{"new/1": "Return-Path: <a@b>\n\nhi\n"}, "", "From a@b Tue Nov 24 14:04:00 2026\nReturn-Path: <a@b>\n\nhi\n\n", ""},
		{"by age", map[string]string{"new/1": "1\n", "cur/3:2,S": "3\n", "new/2": "2\n"}, "old\n\n",
			"old\n\nFrom XXX Tue Nov 24 14:02:00 2026\n3\n\nFrom XXX Tue Nov 24 14:03:00 2026\n2\n\nFrom XXX Tue Nov 24 14:04:00 2026\n1\n\n", ""},
		{"bounce", map[string]string{"new/1": "Return-Path: <>\n\n"}, "", "From MAILER-DAEMON Tue Nov 24 14:04:00 2026\nReturn-Path: <>\n\n\n", ""},
		{"blanks", map[string]string{"new/1": "Return-Path: <\"a\tb c\"@d>\n\n"}, "", "From \"a-b-c\"@d Tue Nov 24 14:04:00 2026\nReturn-Path: <\"a\tb c\"@d>\n\n\n", ""},
		{"From_ lines and a partial last line", map[string]string{"new/1": "From x\n>From y"}, "", "From XXX Tue Nov 24 14:04:00 2026\n>From x\n>>From y\n\n", ""},
		{"empty", map[string]string{"new/1": ""}, "", "From XXX Tue Nov 24 14:04:00 2026\n\n", ""},
		{"no line end", map[string]string{"new/1": "Return-Path: <a@b>"}, "", "From XXX Tue Nov 24 14:04:00 2026\nReturn-Path: <a@b>\n\n", ""},
		{"no address", map[string]string{"new/1": "Return-Path: <\n"}, "", "From XXX Tue Nov 24 14:04:00 2026\nReturn-Path: <\n\n", ""},
		{"long first line", map[string]string{"new/1": "Return-Path: <" + long + ">\n"}, "", "From XXX Tue Nov 24 14:04:00 2026\nReturn-Path: <" + long + ">\n\n", ""},
		{"binary", map[string]string{"new/1": "\x00\xff\r\n"}, "", "From XXX Tue Nov 24 14:04:00 2026\n\x00\xff\r\n\n", ""},
		{"this second's stay", map[string]string{"new/0": "0\n", "new/1": "1\n"}, "", "From XXX Tue Nov 24 14:04:00 2026\n1\n\n", "new/0"},
		{"tmp stays", map[string]string{"tmp/1": "1\n"}, "", "", "tmp/1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHome(t, c.messages)
			if c.before != "" {
				h.must(os.WriteFile(h.dir+"/Mailbox", []byte(c.before), 0o600))
			}
			m := h.move()
			if err := m.Run(); err != nil {
				t.Error(err)
			}
			if got := h.mbox(); got != c.want {
				t.Errorf("%.200q, want %.200q", got, c.want)
			}
			if h.left() != c.left || m.Warnings.(*strings.Builder).String() != "" {
				t.Errorf("left %s, warned %s", h.left(), m.Warnings)
			}
		})
	}
}

func TestModeStays(t *testing.T) {
	h := newHome(t, map[string]string{"new/1": "1\n"})
	h.must(os.WriteFile(h.dir+"/Mailbox", nil, 0o600))
	h.must(os.Chmod(h.dir+"/Mailbox", 0o640))
	h.must(os.WriteFile(h.dir+"/Mailbox.tmp", []byte(strings.Repeat("remnant", 1000)), 0o666))
	h.must(h.move().Run())
	if info, _ := os.Stat(h.dir + "/Mailbox"); info.Mode() != 0o640 || info.Size() > 100 {
		t.Errorf("%v, %d bytes", info.Mode(), info.Size())
	}
}

// TestErrors: the mail is where it was, whatever is wrong.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		prep func(h home, m *Move) error
		want string // HOME is the home
	}{
		{"no maildir", func(h home, m *Move) error { m.Maildir = "/nonexistent"; return nil }, "unable to chdir to /nonexistent: file does not exist"},
		{"no new", func(h home, m *Move) error { return os.Rename(h.dir+"/Maildir/new", h.dir+"/Maildir/x") }, "unable to scan $MAILDIR/new: file does not exist"},
		{"no directory for the mbox", func(h home, m *Move) error { m.Mbox = "/nonexistent/m"; return nil }, "unable to lock /nonexistent/m: file does not exist"},
		{"mbox is a directory", func(h home, m *Move) error { return os.Mkdir(m.Mbox, 0o700) }, "unable to lock HOME/Mailbox: is a directory"},
		{"mbox is a pipe", func(h home, m *Move) error { return unix.Mkfifo(m.Mbox, 0o600) }, "unable to lock HOME/Mailbox: device not configured"},
		{"no directory for the temporary file", func(h home, m *Move) error { m.Temporary = "/nonexistent/t"; return nil }, "unable to create /nonexistent/t: file does not exist"},
		{"temporary file is the mbox", func(h home, m *Move) error { m.Temporary = m.Mbox; return nil }, "unable to create HOME/Mailbox: it is the mbox itself"},
		{"temporary file is a link to the mbox", func(h home, m *Move) error { return os.Symlink("Mailbox", m.Temporary) }, "unable to create HOME/Mailbox.tmp: it is the mbox itself"},
		{"temporary file on another filesystem", func(h home, m *Move) error { m.Temporary = shm(h.t); return nil }, "unable to move SHM to HOME/Mailbox: cross-device link"},
		{"temporary file is a pipe", func(h home, m *Move) error { return unix.Mkfifo(m.Temporary, 0o600) }, "unable to create HOME/Mailbox.tmp: device not configured"},
		{"disk full", func(h home, m *Move) error {
			large, minutesAgo := m.Maildir+"/new/1", now.Add(-time.Minute)
			h.must(os.WriteFile(large, []byte(strings.Repeat("0123456789\n", 100000)), 0o600))
			limitFileSize(h.t, 200000)
			return os.Chtimes(large, minutesAgo, minutesAgo)
		}, "unable to write to HOME/Mailbox.tmp: file too big"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHome(t, map[string]string{"new/1": "1\n", "cur/2": "2\n"})
			m := h.move()
			h.must(c.prep(h, &m))
			if _, err := os.Lstat(m.Mbox); errors.Is(err, os.ErrNotExist) && !strings.HasPrefix(m.Mbox, "/nonexistent") {
				h.must(os.WriteFile(m.Mbox, []byte("old\n"), 0o600))
			}
			err := m.Run()
			want := strings.NewReplacer("HOME", h.dir, "SHM", m.Temporary).Replace(c.want)
			if fmt.Sprint(err) != want || outcome.Of(err) != outcome.Deferral {
				t.Errorf("%v, want %s", err, want)
			}
			if info, err := os.Stat(h.dir + "/Mailbox"); err == nil && info.Mode().IsRegular() && h.mbox() != "old\n" {
				t.Errorf("mbox %q", h.mbox())
			}
			if files, _ := filepath.Glob(h.dir + "/Maildir/*/[12]"); len(files) != 2 {
				t.Errorf("left %v", files)
			}
		})
	}
}

// shm is a path on a filesystem that is not that of the tests, which is skipped
// where there is none.
func shm(t *testing.T) string {
	f, err := os.CreateTemp("/dev/shm", "maildir2mbox")
	if err != nil {
		t.Skip(err)
	}
	f.Close()
	t.Cleanup(func() { os.Remove(f.Name()) })
	return f.Name()
}

// limitFileSize lets no file grow beyond a size during a test.
func limitFileSize(t *testing.T, size uint64) {
	t.Helper()
	signal.Ignore(unix.SIGXFSZ)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.Setrlimit(unix.RLIMIT_FSIZE, &old)
		signal.Reset(unix.SIGXFSZ)
	})
}

// TestLocked: a message that is delivered while the mbox is locked by somebody else
// is not lost, and nothing is moved before the lock is free.
func TestLocked(t *testing.T) {
	h := newHome(t, map[string]string{"new/1": "1\n"})
	reader, err := mailbox.Open(h.dir + "/Mailbox")
	h.must(err)
	h.must(reader.Lock(time.Minute))
	done := make(chan error)
	go func() { done <- h.move().Run() }()
	fmt.Fprint(reader, "From d\nlate\n\n")
	h.must(reader.Close())
	h.must(<-done)
	if got, want := h.mbox(), "From d\nlate\n\nFrom XXX Tue Nov 24 14:04:00 2026\n1\n\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestAtOnce: several at a time, with deliveries to the mbox between them, move each
// message once.
func TestAtOnce(t *testing.T) {
	h := newHome(t, map[string]string{"new/1": "message 1\n", "new/2": "message 2\n", "cur/3": "message 3\n"})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if err := h.move().Run(); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			f, err := mailbox.Open(h.dir + "/Mailbox")
			if err == nil {
				err = f.Lock(time.Minute)
			}
			if err == nil {
				_, err = fmt.Fprintf(f, "delivery %d\n", i)
				f.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	mbox := h.mbox()
	for i := range 8 {
		if strings.Count(mbox, fmt.Sprintf("delivery %d\n", i)) != 1 {
			t.Errorf("delivery %d: %q", i, mbox)
		}
	}
	for i := range 3 {
		if strings.Count(mbox, fmt.Sprintf("\nmessage %d\n", i+1)) != 1 {
			t.Errorf("message %d: %q", i+1, mbox)
		}
	}
}

// TestRemoveWarns: what cannot be removed will be moved again, which the user is told.
func TestRemoveWarns(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root can remove everything")
	}
	h := newHome(t, map[string]string{"new/1": "1\n"})
	h.must(os.Chmod(h.dir+"/Maildir/new", 0o500))
	m := h.move()
	h.must(m.Run())
	if got := m.Warnings.(*strings.Builder).String(); got != "maildir2mbox: warning: $MAILDIR/new/1 will be delivered twice; unable to unlink: access denied\n" {
		t.Errorf("%q", got)
	}
}

func TestFromEnvironment(t *testing.T) {
	all := map[string]string{"MAIL": "/h/Mailbox", "MAILTMP": "tmp", "MAILDIR": "/h/Maildir"}
	for _, missing := range []string{"", "MAIL", "MAILTMP", "MAILDIR"} {
		m, err := fromEnvironment(func(name string) (string, bool) {
			v, set := all[name]
			return v, set && name != missing
		})
		switch {
		case missing != "":
			if fmt.Sprint(err) != missing+" not set" || outcome.Of(err) != outcome.Deferral {
				t.Errorf("without %s: %v", missing, err)
			}
		case err != nil || m.Maildir != "/h/Maildir" || m.Mbox != "/h/Mailbox" || m.Temporary != "/h/Maildir/tmp":
			t.Errorf("%+v %v", m, err)
		}
	}
}

func FuzzSender(f *testing.F) {
	f.Add([]byte("Return-Path: <a@b>\n\n"))
	f.Add([]byte("Return-Path: <\n"))
	f.Fuzz(func(t *testing.T, begin []byte) {
		if s := sender(begin); strings.Contains(s, "\n") || len(s) > len(begin)+3 {
			t.Errorf("%q", s)
		}
	})
}
