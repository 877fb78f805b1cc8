package spawner

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"goqmail/internal/host/child"
	"goqmail/internal/wire/spawn"

	"golang.org/x/sys/unix"
)

// mess makes a queue/mess with messages 1/100 and 1/101, and things that are none.
func mess(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "1"), 0o700),
		os.WriteFile(filepath.Join(dir, "1/100"), []byte("the message\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "1/101"), nil, 0o600),
		os.Mkdir(filepath.Join(dir, "1/102"), 0o700),
		unix.Mkfifo(filepath.Join(dir, "1/103"), 0o600),
		os.Symlink("100", filepath.Join(dir, "1/104")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// fine tells what arrives with a delivery.
func fine(d Delivery) string {
	text, err := io.ReadAll(d.Message)
	return fmt.Sprintf("K%s|%s|%s|%s|%s|%v", d.Sender, d.Recipient, d.Local, d.Host, text, err)
}

func spawner(t testing.TB, deliver func(Delivery) string) Spawner {
	return Spawner{MessDir: mess(t), QueueOwner: uint32(os.Getuid()), Width: spawn.Classic, Limit: spawn.DefaultLimit, Deliver: deliver}
}

// serve gives commands to a spawner and returns its reports, whose limit must be right.
func serve(t testing.TB, s Spawner, commands ...spawn.Command) []spawn.Report {
	t.Helper()
	var in []byte
	for _, c := range commands {
		in = c.Append(in, s.Width)
	}
	var out strings.Builder
	if err := s.Serve(strings.NewReader(string(in)), &out); err != nil {
		t.Fatal(err)
	}
	r := spawn.NewReports(strings.NewReader(out.String()), s.Width)
	if limit, err := r.Limit(); limit != s.Limit || err != nil {
		t.Fatalf("limit %d, %v", limit, err)
	}
	var reports []spawn.Report
	for {
		report, err := r.Next()
		if err == io.EOF {
			return reports
		}
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, report)
	}
}

func TestCommands(t *testing.T) {
	s := spawner(t, fine)
	stranger := s
	stranger.QueueOwner++
	wide := s
	wide.Width, wide.Limit = spawn.Wide, 70000
	for _, c := range []struct {
		name string
		s    Spawner
		c    spawn.Command
		want string
	}{
		{"delivered", s, spawn.Command{Message: "1/100", Sender: "s@x", Recipient: "a@b@h"}, "Ks@x|a@b@h|a@b|h|the message\n|<nil>"},
		{"empty everything", s, spawn.Command{Message: "1/101", Recipient: "@"}, "K|@||||<nil>"},
		{"the largest number", s, spawn.Command{Delivery: 119, Message: "1/101", Recipient: "a@h"}, "K|a@h|a|h||<nil>"},
		{"wide numbers", wide, spawn.Command{Delivery: 69999, Message: "1/101", Recipient: "a@h"}, "K|a@h|a|h||<nil>"},
		{"a number too big", s, spawn.Command{Delivery: 120, Message: "1/100", Recipient: "a@h"}, "ZInternal error: delnum too big. (#4.3.5)\n"},
		{"a wide number too big", wide, spawn.Command{Delivery: 70000, Message: "1/100", Recipient: "a@h"}, "ZInternal error: delnum too big. (#4.3.5)\n"},
		{"no host", s, spawn.Command{Message: "1/100", Recipient: "a"}, "DSorry, address must include host name. (#5.1.3)\n"},
		{"empty recipient", s, spawn.Command{Message: "1/100"}, "DSorry, address must include host name. (#5.1.3)\n"},
		{"no such message", s, spawn.Command{Message: "1/99", Recipient: "a@h"}, "Zqmail-spawn unable to open message. (#4.3.0)\n"},
		{"letters", s, spawn.Command{Message: "1/x", Recipient: "a@h"}, "DInternal error: messid has nonnumerics. (#5.3.5)\n"},
		{"out of the directory", s, spawn.Command{Message: "../1/100", Recipient: "a@h"}, "DInternal error: messid has nonnumerics. (#5.3.5)\n"},
		{"absolute", s, spawn.Command{Message: "/1/100", Recipient: "a@h"}, "DInternal error: messid has nonnumerics. (#5.3.5)\n"},
		{"empty name", s, spawn.Command{Recipient: "a@h"}, "DInternal error: messid too short. (#5.3.5)\n"},
		{"a name of 99 bytes", s, spawn.Command{Message: strings.Repeat("1", 99), Recipient: "a@h"}, "Zqmail-spawn unable to open message. (#4.3.0)\n"},
		{"a name of 100 bytes", s, spawn.Command{Message: strings.Repeat("1", 100), Recipient: "a@h"}, "DInternal error: messid too long. (#5.3.5)\n"},
		{"a directory", s, spawn.Command{Message: "1/102", Recipient: "a@h"}, "ZSorry, message has wrong type. (#4.3.5)\n"},
		{"a pipe that nobody writes to", s, spawn.Command{Message: "1/103", Recipient: "a@h"}, "ZSorry, message has wrong type. (#4.3.5)\n"},
		{"a symbolic link", s, spawn.Command{Message: "1/104", Recipient: "a@h"}, "Zqmail-spawn unable to open message. (#4.3.0)\n"},
		{"a message of somebody else", stranger, spawn.Command{Message: "1/100", Recipient: "a@h"}, "ZSorry, message has wrong owner. (#4.3.5)\n"},
		{"a field too long", s, spawn.Command{Message: "1/100", Sender: strings.Repeat("x", spawn.MaxField+1), Recipient: "a@h"}, "Zqmail-spawn out of memory. (#4.3.0)\n"},
	} {
		after := spawn.Command{Delivery: 1, Message: "1/101", Recipient: "after@h"}
		reports := serve(t, c.s, c.c, after)
		got := map[uint32]string{}
		for _, r := range reports {
			got[r.Delivery] = r.Text
		}
		next := "K|after@h|after|h||<nil>"
		if c.s.QueueOwner != s.QueueOwner {
			next = c.want
		}
		if len(reports) != 2 || got[c.c.Delivery] != c.want || got[1] != next {
			t.Errorf("%s: %v, want %q", c.name, reports, c.want)
		}
	}
}

// TestManyAtOnce: deliveries run side by side, and the last is waited for.
func TestManyAtOnce(t *testing.T) {
	const n = spawn.DefaultLimit
	var all sync.WaitGroup
	all.Add(n)
	s := spawner(t, func(d Delivery) string {
		all.Done()
		all.Wait()
		return "K" + d.Local
	})
	var commands []spawn.Command
	for i := range uint32(n) {
		commands = append(commands, spawn.Command{Delivery: i, Message: "1/100", Recipient: fmt.Sprint(i, "@h")})
	}
	reports := serve(t, s, commands...)
	if len(reports) != n {
		t.Errorf("%d reports", len(reports))
	}
	for _, r := range reports {
		if r.Text != fmt.Sprint("K", r.Delivery) {
			t.Errorf("%d: %q", r.Delivery, r.Text)
		}
	}
}

// TestNumbers: a number in use is refused, and free again once its report can be read.
func TestNumbers(t *testing.T) {
	release := make(chan bool)
	s := spawner(t, func(d Delivery) string { <-release; return "K" + d.Local })
	in, commands := io.Pipe()
	reports, out := io.Pipe()
	done := make(chan error)
	go func() { done <- s.Serve(in, out); out.Close() }()
	r := spawn.NewReports(reports, s.Width)
	if _, err := r.Limit(); err != nil {
		t.Fatal(err)
	}
	send := func(local string) {
		commands.Write(spawn.Command{Delivery: 7, Message: "1/100", Recipient: local + "@h"}.Append(nil, s.Width))
	}
	want := func(text string) {
		t.Helper()
		if got, err := r.Next(); err != nil || got != (spawn.Report{Delivery: 7, Text: text}) {
			t.Errorf("%v, %v, want %q", got, err, text)
		}
	}
	send("a")
	send("b")
	want("ZInternal error: delnum in use. (#4.3.5)\n")
	for _, local := range []string{"a", "c", "d"} {
		if local != "a" {
			send(local)
		}
		release <- true
		want("K" + local)
	}
	commands.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestNobodyReads: deliveries run to their end without a reader of their reports.
func TestNobodyReads(t *testing.T) {
	var ran sync.Map
	s := spawner(t, func(d Delivery) string { ran.Store(d.Local, true); return strings.Repeat("x", maxWaiting) })
	var in []byte
	for i := range uint32(5) {
		in = spawn.Command{Delivery: i, Message: "1/100", Recipient: fmt.Sprint(i, "@h")}.Append(in, s.Width)
	}
	first := true
	err := s.Serve(strings.NewReader(string(in)), writer(func(p []byte) (int, error) {
		if first {
			first = false
			return len(p), nil
		}
		return 0, unix.EPIPE
	}))
	n := 0
	ran.Range(func(any, any) bool { n++; return true })
	if n != 5 || err != nil {
		t.Errorf("%d ran, %v", n, err)
	}
	if err := s.Serve(strings.NewReader(string(in)), writer(func([]byte) (int, error) { return 0, unix.EPIPE })); !errors.Is(err, unix.EPIPE) {
		t.Errorf("without a reader from the beginning: %v", err)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// TestSlowReader: reports that are not read hold up deliveries before they fill the
// memory.
func TestSlowReader(t *testing.T) {
	text := "K" + strings.Repeat("x", 9000)
	s := spawner(t, func(Delivery) string { return text })
	var in []byte
	const n = 500
	for i := range uint32(n) {
		in = spawn.Command{Delivery: i % s.Limit, Message: "1/100", Recipient: "a@h"}.Append(in, s.Width)
	}
	reports, out := io.Pipe()
	go func() { s.Serve(strings.NewReader(string(in)), out); out.Close() }()
	r := spawn.NewReports(reports, s.Width)
	r.Limit()
	for got := 0; ; got++ {
		if _, err := r.Next(); err == io.EOF {
			if got != n {
				t.Errorf("%d reports", got)
			}
			return
		}
	}
}

func TestArguments(t *testing.T) {
	for _, c := range []struct {
		args  []string
		rest  int
		width spawn.Width
	}{
		{nil, 0, spawn.Classic},
		{[]string{"./Mailbox"}, 1, spawn.Classic},
		{[]string{"./Mailbox", "wide"}, 1, spawn.Wide},
		{[]string{"wide"}, 0, spawn.Wide},
		{[]string{"wide", "x"}, 2, spawn.Classic},
	} {
		if rest, width := spawn.ParseWidth(c.args); len(rest) != c.rest || width != c.width {
			t.Errorf("%q: %q, %v", c.args, rest, width)
		}
	}
	for _, c := range []struct {
		set   uint64
		width spawn.Width
		files uint64
		want  uint32
	}{
		{120, spawn.Classic, 1 << 20, 120}, {1000, spawn.Classic, 1 << 20, spawn.ClassicLimit}, {120, spawn.Classic, 16, 4},
		{1000, spawn.Wide, 1 << 20, 1000}, {1 << 40, spawn.Wide, 1 << 40, spawn.WideLimit}, {1000, spawn.Wide, 1024, 256},
		{0, spawn.Wide, 1024, 1}, {120, spawn.Wide, 0, 1},
	} {
		if got := Limit(c.set, c.width, c.files); got != c.want {
			t.Errorf("set to %d, %d open files: %d, want %d", c.set, c.files, got, c.want)
		}
	}
}

func TestRun(t *testing.T) {
	message, err := os.Open(filepath.Join(mess(t), "1/100"))
	if err != nil {
		t.Fatal(err)
	}
	defer message.Close()
	for _, c := range []struct {
		name, script string
		max          int
		status       child.Status
		output       string
	}{
		{"both descriptors", "cat; echo e >&2", 100, child.Status{}, "the message\ne\n"},
		{"no output", "exit 5", 100, child.Status{Code: 5}, ""},
		{"cut", "while [ $((n += 1)) -lt 5000 ]; do echo line; done; exit 3", 7, child.Status{Code: 3}, "line\nli"},
		{"crash", "echo x; kill -9 $$", 100, child.Status{Crashed: true}, "x\n"},
	} {
		output := Head{Max: c.max}
		message.Seek(0, io.SeekStart)
		status, err := Run(child.Command{Path: "sh", Args: []string{"sh", "-c", c.script}, Files: []*os.File{message, nil, nil}}, &output, 1, 2)
		if err != nil || status != c.status || string(output.Kept) != c.output {
			t.Errorf("%s: %+v, %q, %v", c.name, status, output.Kept, err)
		}
	}
	if _, err := Run(child.Command{Path: "/nonexistent", Files: []*os.File{nil, nil}}, &Head{}, 1); err == nil {
		t.Error("a program that is not there runs")
	}
}

// FuzzServe: any commands get one report each, and the last one that is whole is
// heard.
func FuzzServe(f *testing.F) {
	f.Add([]byte("\x001/100\x00s@x\x00a@h\x00\x00..\x00\x00\x00\xff1/100\x00\x00a@h\x00"))
	f.Add([]byte("\x01/1\x00\x00@\x00\x021/102\x00\x00@\x00junk"))
	s := spawner(f, func(Delivery) string { return "K" })
	f.Fuzz(func(t *testing.T, in []byte) {
		want := 0
		commands := spawn.NewCommands(strings.NewReader(string(in)), s.Width)
		for {
			if _, err := commands.Next(); err != nil {
				break
			}
			want++
		}
		var out strings.Builder
		s.Serve(strings.NewReader(string(in)), &out)
		reports := spawn.NewReports(strings.NewReader(out.String()), s.Width)
		reports.Limit()
		for ; ; want-- {
			r, err := reports.Next()
			if err != nil {
				break
			}
			if r.Text == "" || !strings.Contains("KZD", r.Text[:1]) {
				t.Errorf("report %q", r.Text)
			}
		}
		if want != 0 {
			t.Errorf("%d reports are missing", want)
		}
	})
}
