package local

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"goqmail/internal/deliver/maildir"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/submit"

	"golang.org/x/sys/unix"
)

const message = "Subject: hi\n\nbody\n"

func clock() time.Time { return time.Date(2026, 11, 24, 14, 5, 0, 0, time.UTC) }

// A user has a home, and a mail system with a stand-in for qmail-queue, which
// puts the message and the envelope into files.
type user struct {
	t      *testing.T
	home   string
	system string
}

func newUser(t *testing.T) *user {
	u := &user{t, t.TempDir(), t.TempDir()}
	u.queue("cat >message; cat <&1 >envelope; echo complaint >&2")
	return u
}

// queue is what the mail system's qmail-queue does.
func (u *user) queue(script string) {
	u.t.Helper()
	if err := os.WriteFile(u.system+"/qq", []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		u.t.Fatal(err)
	}
}

// file makes a file in the home.
func (u *user) file(name, text string, mode os.FileMode) {
	u.t.Helper()
	if err := os.WriteFile(u.home+"/"+name, []byte(text), 0o600); err != nil {
		u.t.Fatal(err)
	}
	os.Chmod(u.home+"/"+name, mode)
}

func (u *user) maildir(name string) {
	for _, sub := range []string{"", "/tmp", "/new", "/cur"} {
		if err := os.Mkdir(u.home+"/"+name+sub, 0o700); err != nil {
			u.t.Fatal(err)
		}
	}
}

// read returns what is in a file of the home, or "" where there is none.
func (u *user) read(name string) string {
	b, _ := os.ReadFile(u.home + "/" + name)
	return string(b)
}

func (u *user) config() Config {
	return Config{
		Env:   []string{"PATH=" + os.Getenv("PATH"), "HOME=/caller", "DEFAULT=caller", "FOO=bar"},
		Queue: submit.Queue{Home: u.system, Program: "./qq"},
		Names: &maildir.Names{Host: "host", PID: 1, Now: clock},
		Now:   clock,
	}
}

// deliver delivers a message to joe; change may change the delivery first. It
// returns what came on descriptors 1 and 2.
func (u *user) deliver(text string, change func(*Delivery)) (output, complaints string, err error) {
	u.t.Helper()
	d := Delivery{
		User: "joe", Home: u.home, Local: "joe", Domain: "h.example", Sender: "s@x.example", Default: "./Mailbox",
		Message: u.temp(text), Output: Descriptors{u.temp(""), u.temp("")},
	}
	if change != nil {
		change(&d)
	}
	err = Deliver(u.config(), d)
	files := d.Output.(Descriptors)
	return contents(files.Output), contents(files.Errors), err
}

// temp returns an open file without a name.
func (u *user) temp(text string) *os.File {
	u.t.Helper()
	f, err := os.CreateTemp(u.system, "")
	if err != nil {
		u.t.Fatal(err)
	}
	os.Remove(f.Name())
	u.t.Cleanup(func() { f.Close() })
	f.WriteString(text)
	return f
}

func contents(f *os.File) string {
	if f == nil {
		return ""
	}
	b, _ := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	return string(b)
}

func extension(ext string) func(*Delivery) {
	return func(d *Delivery) { d.Dash, d.Ext, d.Local = "-", ext, "joe-"+ext }
}

const header = "Return-Path: <s@x.example>\nDelivered-To: joe@h.example\n"

func TestMailboxAndMaildir(t *testing.T) {
	u := newUser(t)
	u.file(".qmail", "./Mailbox\n"+u.home+"/other\n./Maildir/\n", 0o600)
	u.maildir("Maildir")
	output, _, err := u.deliver("From x\n", nil)
	if err != nil || output != "did 3+0+0\n" {
		t.Fatalf("%q %v", output, err)
	}
	mbox := "From s@x.example Tue Nov 24 14:05:00 2026\n" + header + ">From x\n\n"
	if got := u.read("Mailbox"); got != mbox || u.read("other") != mbox {
		t.Errorf("mailbox %q", got)
	}
	if got := u.read("Maildir/new/1795529100.M000000P1Q1.host"); got != header+"From x\n" {
		t.Errorf("maildir %q", got)
	}
}

// TestRefusals: what the sender or the log reads, and whether it is permanent.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name    string
		prep    func(u *user)
		change  func(*Delivery)
		message string
		want    string // error, with the home as HOME
		hard    bool
	}{
		{name: "no such mailbox", change: extension("x"), want: "Sorry, no mailbox here by that name. (#5.1.1)", hard: true},
		{name: "loop", message: "A: b\nDelivered-To: joe@h.example\n\n", want: "This message is looping: it already has my Delivered-To line. (#5.4.6)", hard: true},
		{name: "loop to a mailbox that is not there", change: extension("x"), message: "Delivered-To: joe-x@h.example\n\n", want: "This message is looping: it already has my Delivered-To line. (#5.4.6)", hard: true},
		{name: "no home", prep: func(u *user) { os.Remove(u.home) }, want: "Unable to switch to HOME: file does not exist. (#4.3.0)"},
		{name: "home is a file", prep: func(u *user) { os.Remove(u.home); os.WriteFile(u.home, nil, 0o600) }, want: "Unable to switch to HOME: not a directory. (#4.3.0)"},
		{name: "writable home", prep: func(u *user) { os.Chmod(u.home, 0o702) }, want: "Uh-oh: home directory is writable. (#4.7.0)"},
		{name: "sticky home", prep: func(u *user) { os.Chmod(u.home, 0o700|os.ModeSticky) }, want: "Home directory is sticky: user is editing his .qmail file. (#4.2.1)"},
		{name: "writable .qmail", prep: func(u *user) { u.file(".qmail", "./a\n", 0o602) }, want: "Uh-oh: .qmail file is writable. (#4.7.0)"},
		{name: "blank first line", prep: func(u *user) { u.file(".qmail", "\n./a\n", 0o600) }, want: "Uh-oh: first line of .qmail file is blank. (#4.2.1)"},
		{name: "empty default", change: func(d *Delivery) { d.Default = "" }, want: "Uh-oh: first line of .qmail file is blank. (#4.2.1)"},
		{name: "huge .qmail", prep: func(u *user) { u.file(".qmail", "", 0o600); os.Truncate(u.home+"/.qmail", 1<<40) }, want: "Uh-oh: .qmail file is too large. (#4.3.0)"},
		{name: "x bit and mbox", prep: func(u *user) { u.file(".qmail", "./a\n", 0o700) }, want: "Uh-oh: .qmail has file delivery but has x bit set. (#4.7.0)"},
		{name: "+list and program", prep: func(u *user) { u.file(".qmail", "+list\n|true\n", 0o600) }, want: "Uh-oh: .qmail has prog delivery but has x bit set. (#4.7.0)"},
		{name: "mailbox in no directory", prep: func(u *user) { u.file(".qmail", "./no/a\n", 0o600) }, want: "Unable to open ./no/a: file does not exist. (#4.2.1)"},
		{name: "mailbox is a directory", prep: func(u *user) { u.file(".qmail", "./a\n", 0o600); os.Mkdir(u.home+"/a", 0o700) }, want: "Unable to open ./a: is a directory. (#4.2.1)"},
		{name: "mailbox is a pipe", prep: func(u *user) { u.file(".qmail", "./a\n", 0o600); unix.Mkfifo(u.home+"/a", 0o600) }, want: "Unable to open ./a: device not configured. (#4.2.1)"},
		{name: "mailbox is a device", prep: func(u *user) { u.file(".qmail", "/dev/null\n", 0o600) }, want: "Unable to open /dev/null: not a regular file. (#4.2.1)"},
		{name: "no maildir", prep: func(u *user) { u.file(".qmail", "./a/\n", 0o600) }, want: "Unable to chdir to maildir. (#4.2.1)"},
		{name: "maildir without tmp", prep: func(u *user) { u.file(".qmail", "./a/\n", 0o600); os.Mkdir(u.home+"/a", 0o700) }, want: "Temporary error on maildir delivery. (#4.3.0)"},
		{name: "shell that cannot run", prep: func(u *user) { u.file(".qmail", "|"+strings.Repeat("x", 200000), 0o600) }, want: "Unable to run /bin/sh: argument list too long. (#4.3.0)"},
		{name: "crash", prep: func(u *user) { u.file(".qmail", "|kill -9 $$\n", 0o600) }, want: "Aack, child crashed. (#4.3.0)"},
		{name: "no message", change: func(d *Delivery) { d.Message = nil }, want: "Unable to rewind message. (#4.3.0)"},
		{name: "message is a pipe", change: func(d *Delivery) { d.Message, _, _ = os.Pipe() }, want: "Unable to rewind message. (#4.3.0)"},
		{name: "message is a directory", change: func(d *Delivery) { d.Message, _ = os.Open("/") }, want: "Unable to read message: is a directory. (#4.3.0)"},
		{name: "qmail-queue is missing", prep: func(u *user) { u.file(".qmail", "&a\n", 0o600); os.Remove(u.system + "/qq") }, want: "Unable to forward message: unable to exec qq (#4.3.0)."},
		{name: "qmail-queue fails", prep: func(u *user) { u.file(".qmail", "&a\n", 0o600); u.queue("exit 53") }, want: "Unable to forward message: qq write error or disk full (#4.3.0)."},
		{name: "qmail-queue refuses", prep: func(u *user) { u.file(".qmail", "&a\n", 0o600); u.queue("exit 11") }, want: "Unable to forward message: envelope address too long for qq (#5.1.3).", hard: true},
		{name: "qmail-queue has its own words", prep: func(u *user) {
			u.file(".qmail", "&a\n", 0o600)
			u.queue("printf 'Dno thanks (#5.7.1)' >&6; exit 82")
		}, want: "Unable to forward message: no thanks (#5.7.1).", hard: true},
		{name: "qmail-queue crashes", prep: func(u *user) { u.file(".qmail", "&a\n", 0o600); u.queue("kill -9 $$") }, want: "Unable to forward message: qq crashed (#4.3.0)."},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := newUser(t)
			if c.prep != nil {
				c.prep(u)
			}
			if c.message == "" {
				c.message = message
			}
			output, _, err := u.deliver(c.message, c.change)
			if err == nil {
				t.Fatalf("delivered: %q", output)
			}
			if got := strings.ReplaceAll(err.Error(), u.home, "HOME"); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if hard := outcome.Of(err) == outcome.Failure; hard != c.hard {
				t.Errorf("permanent: %v", hard)
			}
			if output != "" {
				t.Errorf("output %q", output)
			}
		})
	}
}

// TestExitCodes of programs.
func TestExitCodes(t *testing.T) {
	u := newUser(t)
	hard := []int{64, 65, 70, 76, 77, 78, 100, 112}
	for code := range 256 {
		if code%16 > 1 && !slices.Contains(hard, code) && code != 99 && code != 111 {
			continue
		}
		u.file(".qmail", fmt.Sprintf("|exit %d\n|echo next\n", code), 0o600)
		output, _, err := u.deliver(message, nil)
		want, wantOutput := outcome.Deferral, ""
		switch {
		case code == 0:
			want, wantOutput = outcome.Success, "next\ndid 0+0+2\n"
		case code == 99:
			want, wantOutput = outcome.Success, "did 0+0+1\n"
		case slices.Contains(hard, code):
			want = outcome.Failure
		}
		if outcome.Of(err) != want || output != wantOutput || err != nil && err.Error() != "" {
			t.Errorf("exit %d: %v (%v), %q", code, err, outcome.Of(err), output)
		}
	}
}

func TestProgramEnvironment(t *testing.T) {
	u := newUser(t)
	u.file(".qmail-a-default", "|pwd; env | sort; cat\n", 0o600)
	output, _, err := u.deliver(message, func(d *Delivery) {
		extension("A-b.c-D-e")(d)
		d.Domain, d.Sender = "p.q.r.S.t", "a b@c"
	})
	if err != nil {
		t.Fatal(err)
	}
	real, _ := filepath.EvalSymlinks(u.home)
	lines := strings.Split(output, "\n")
	if lines[0] != u.home && lines[0] != real {
		t.Errorf("working directory %s", lines[0])
	}
	for _, want := range []string{
		"USER=joe", "HOME=" + u.home, "LOCAL=joe-A-b.c-D-e", "RECIPIENT=joe-A-b.c-D-e@p.q.r.S.t",
		"HOST=p.q.r.S.t", "HOST2=p.q.r.S", "HOST3=p.q.r", "HOST4=p.q",
		"EXT=A-b.c-D-e", "EXT2=b.c-D-e", "EXT3=D-e", "EXT4=e", "DEFAULT=b.c-D-e",
		"SENDER=a b@c", "NEWSENDER=a b@c", "FOO=bar",
		"DTLINE=Delivered-To: joe-A-b.c-D-e@p.q.r.S.t", `RPLINE=Return-Path: <"a b"@c>`, "UFLINE=From a-b@c Tue Nov 24 14:05:00 2026",
	} {
		if n := strings.Count("\n"+output, "\n"+want+"\n"); n != 1 {
			t.Errorf("%s stands there %d times", want, n)
		}
	}
	if !strings.HasSuffix(output, message+"did 0+0+1\n") {
		t.Errorf("message missing in %q", output)
	}
}

// TestDefaultUnset: DEFAULT is there for wild files only, whatever the caller has.
func TestDefaultUnset(t *testing.T) {
	u := newUser(t)
	u.file(".qmail-x", "|echo \"${DEFAULT-unset}\"\n", 0o600)
	if output, _, _ := u.deliver(message, extension("x")); output != "unset\ndid 0+0+1\n" {
		t.Errorf("%q", output)
	}
}

// TestReaderLeftBehind: a child of a program that still reads the message takes
// nothing from the deliveries after it.
func TestReaderLeftBehind(t *testing.T) {
	u := newUser(t)
	text := message + strings.Repeat("0123456789abcde\n", 100000)
	u.file(".qmail", "|exec 3<&0; (cat <&3 >/dev/null; echo end >pipe) &\n./Mailbox\n", 0o600)
	unix.Mkfifo(u.home+"/pipe", 0o600)
	if _, _, err := u.deliver(text, nil); err != nil {
		t.Fatal(err)
	}
	u.read("pipe")
	if !strings.HasSuffix(u.read("Mailbox"), header+text+"\n") {
		t.Errorf("%d bytes in the mailbox", len(u.read("Mailbox")))
	}
}

func TestForward(t *testing.T) {
	u := newUser(t)
	u.file(".qmail", "&a@b\n./Mailbox\nc d\n|exit 99\n&not\n", 0o600)
	output, complaints, err := u.deliver("\nabc", nil)
	if err != nil || !strings.HasPrefix(output, "did 1+2+1\nqp ") || complaints != "complaint\n" {
		t.Errorf("%q %q %v", output, complaints, err)
	}
	envelope, _ := os.ReadFile(u.system + "/envelope")
	if string(envelope) != "Fs@x.example\x00Ta@b\x00Tc d\x00\x00" {
		t.Errorf("envelope %q", envelope)
	}
	if text, _ := os.ReadFile(u.system + "/message"); string(text) != "Delivered-To: joe@h.example\n\nabc" {
		t.Errorf("message %q", text)
	}
}

// TestNewSender: who gets the bounces of what is forwarded.
func TestNewSender(t *testing.T) {
	for _, c := range []struct{ files, sender, want string }{
		{"", "s@x", "s@x"},
		{"-owner", "s@x", "joe-li@h.example"},
		{"-owner -owner-default", "s@x", "joe-li-@h.example-@[]"},
		{"-owner -owner-default", "", ""},
		{"-owner", "#@[]", "#@[]"},
	} {
		u := newUser(t)
		u.file(".qmail-li", "|echo $NEWSENDER\n", 0o600)
		for _, f := range strings.Fields(c.files) {
			u.file(".qmail-li"+f, "", 0o600)
		}
		output, _, err := u.deliver(message, func(d *Delivery) { extension("li")(d); d.Sender = c.sender })
		want := strings.Replace(c.want, "joe-li", "joe-li-owner", 1) + "\ndid 0+0+1\n"
		if err != nil || output != want {
			t.Errorf("%+v: %q %v", c, output, err)
		}
	}
}

func TestDryRun(t *testing.T) {
	u := newUser(t)
	u.file(".qmail", "&a@b\n|exit 99\n./m\n./M/\n#\nc\n", 0o600)
	os.Chmod(u.home, 0o700|os.ModeSticky)
	output, complaints, err := u.deliver("Delivered-To: joe@h.example\n", func(d *Delivery) { d.DryRun = true })
	if err != nil || complaints != "Warning: home directory is sticky.\n" ||
		output != "forward a@b\nprogram exit 99\nmbox ./m\nmaildir ./M/\nforward c\ndid 2+2+1\n" {
		t.Errorf("%q %q %v", output, complaints, err)
	}
	if files, _ := os.ReadDir(u.home); len(files) != 1 {
		t.Errorf("made %v", files)
	}
}

func TestClosedDescriptors(t *testing.T) {
	u := newUser(t)
	u.file(".qmail", "|echo text; echo complaint >&2; exit 0\n./Mailbox\n", 0o600)
	_, _, err := u.deliver(message, func(d *Delivery) { d.Output = Descriptors{} })
	if err != nil || u.read("Mailbox") == "" {
		t.Errorf("%v", err)
	}
}

// TestAtOnce: many deliveries in one process, each in its own home, know nothing
// of each other.
func TestAtOnce(t *testing.T) {
	before, _ := os.Getwd()
	var all sync.WaitGroup
	for i := range 20 {
		u := newUser(t)
		u.file(".qmail", "./Mailbox\n|cat >text; pwd; echo $SENDER\n./Maildir/\n&x@y\n", 0o600)
		u.maildir("Maildir")
		sender := fmt.Sprintf("s%d@x", i)
		all.Go(func() {
			output, _, err := u.deliver(fmt.Sprint("\n", i), func(d *Delivery) { d.Sender = sender })
			if err != nil || !strings.Contains(output, "\n"+sender+"\ndid 2+1+1\nqp ") {
				t.Errorf("%q %v", output, err)
			}
			if got := u.read("text"); got != fmt.Sprint("\n", i) {
				t.Errorf("%q", got)
			}
			envelope, _ := os.ReadFile(u.system + "/envelope")
			if want := "F" + sender + "\x00Tx@y\x00\x00"; string(envelope) != want {
				t.Errorf("%q, want %q", envelope, want)
			}
		})
	}
	all.Wait()
	if after, _ := os.Getwd(); after != before {
		t.Errorf("the working directory is now %s", after)
	}
}

func TestParseArgs(t *testing.T) {
	full := []string{"joe", "/home/joe", "joe-x", "-", "x", "h", "s", "./Mailbox"}
	with := func(options ...string) []string { return append(options, full...) }
	for _, c := range []struct {
		args []string
		dry  bool
		err  string
	}{
		{args: full},
		{args: with("--")},
		{args: with("--n")},
		{args: with("-n"), dry: true},
		{args: with("-n", "-N")},
		{args: with("-Nn", "--"), dry: true},
		{args: nil, err: usage.Error()},
		{args: full[:7], err: usage.Error()},
		{args: with("extra"), err: usage.Error()},
		{args: with("-"), err: usage.Error()},
		{args: []string{"joe", "home", "joe", "", "", "", "", ""}, err: usage.Error()},
		{args: with("-nx"), err: "qmail-local: illegal option -- x\nqmail-local: " + usage.Error()},
	} {
		d, err := ParseArgs(c.args)
		if err == nil {
			err = errors.New("")
			if want := (Delivery{User: "joe", Home: "/home/joe", Local: "joe-x", Dash: "-", Ext: "x", Domain: "h", Sender: "s", Default: "./Mailbox", DryRun: c.dry}); d != want {
				t.Errorf("%q: %+v", c.args, d)
			}
		}
		if err.Error() != c.err {
			t.Errorf("%q: %q, want %q", c.args, err, c.err)
		}
	}
}
