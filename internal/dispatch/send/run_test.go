package send

import (
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"goqmail/internal/dispatch/clean"
	"goqmail/internal/dispatch/route"
	"goqmail/internal/host/child"
	"goqmail/internal/wire/spawn"
	"goqmail/internal/wire/submit"
	"goqmail/queue"
	"goqmail/queue/queuetest"
)

// TestMain lets the test binary stand in for qmail-queue.
func TestMain(m *testing.M) {
	if dir := os.Getenv("QUEUE"); dir != "" {
		enqueue(dir)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// enqueue is a qmail-queue without any of its cares.
func enqueue(dir string) {
	q, err := queue.Open(dir)
	if err != nil {
		os.Exit(62)
	}
	e, err := q.Begin(time.Now())
	if err != nil {
		os.Exit(63)
	}
	io.Copy(e.Message, os.Stdin)
	envelope, err := e.Envelope()
	if err != nil {
		os.Exit(65)
	}
	text, _ := io.ReadAll(os.Stdout)
	envelope.WriteString("u7\x00p8\x00" + strings.TrimSuffix(string(text), "\x00"))
	if e.Commit(time.Now()) != nil {
		os.Exit(66)
	}
	q.PullTrigger()
}

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// A system is a qmail-send that runs, with the test in the place of both spawners.
type system struct {
	t        *testing.T
	home     string
	queue    *queue.Queue
	record   *recorder
	spawners [route.Channels]*spawnerSide
	requests *os.File // qmail-clean's end
	signals  chan Signal
	over     chan error
}

// A spawnerSide is the other end of a spawner's pipes.
type spawnerSide struct {
	in, out  *os.File
	commands *spawn.Commands
	width    spawn.Width
}

func (s *spawnerSide) next(t *testing.T) spawn.Command {
	t.Helper()
	s.in.SetReadDeadline(time.Now().Add(patience))
	c, err := s.commands.Next()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *spawnerSide) report(c spawn.Command, text string) {
	s.out.Write(spawn.Report{Delivery: c.Delivery, Text: text}.Append(nil, s.width))
}

func (s *spawnerSide) die() { s.in.Close(); s.out.Close() }

// pipe2 makes a pipe with two non-blocking ends.
func pipe2(t *testing.T) (r, w *os.File) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// launch starts a qmail-send on a new queue.
func launch(t *testing.T, width spawn.Width, limit uint32, files map[string]string) *system {
	return launchIn(t, queuetest.New(t, 23), width, limit, files)
}

func launchIn(t *testing.T, dir string, width spawn.Width, limit uint32, files map[string]string) *system {
	s := &system{t: t, home: strings.TrimSuffix(dir, "/queue"), record: newRecorder(), signals: make(chan Signal), over: make(chan error, 1)}
	if files["me"] == "" {
		files["me"] = "here.example\n"
	}
	controls(t, s.home, files)
	s.queue, _ = queue.Open(dir)
	config := Config{
		Home:    s.home,
		Record:  s.record,
		Width:   width,
		Signals: s.signals,
		Bounces: submit.Queue{Home: s.home, Program: "/proc/self/exe", Env: []string{"QUEUE=" + dir}},
		Now:     time.Now,
	}
	for c := range config.Spawners {
		side := &spawnerSide{width: width}
		side.in, config.Spawners[c].Commands = pipe2(t)
		config.Spawners[c].Reports, side.out = pipe2(t)
		side.commands = spawn.NewCommands(side.in, width)
		side.out.Write(width.AppendLimit(nil, limit))
		s.spawners[c] = side
	}
	var answers *os.File
	s.requests, config.Clean.Commands = pipe2(t)
	config.Clean.Reports, answers = pipe2(t)
	go func() {
		clean.Serve(dir, s.requests, answers, time.Now)
		answers.Close()
	}()
	go func() { s.over <- Run(config) }()
	return s
}

// enqueue puts a message into the queue as qmail-queue does.
func (s *system) enqueue(sender string, recipients ...string) {
	s.t.Helper()
	m, err := submit.Queue{Home: s.home, Program: "/proc/self/exe", Env: []string{"QUEUE=" + s.home + "/queue"}}.Open()
	if err != nil {
		s.t.Fatal(err)
	}
	m.WriteString("Subject: x\n\nbody\n")
	m.From(sender)
	for _, r := range recipients {
		m.To(r)
	}
	if err := m.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// end waits for the end.
func (s *system) end() {
	s.t.Helper()
	select {
	case err := <-s.over:
		if err != nil {
			s.t.Error(err)
		}
	case <-time.After(patience):
		s.t.Fatalf("still running:\n%s", s.record.text())
	}
}

// A recorder keeps the activity record.
type recorder struct {
	mu    sync.Mutex
	lines strings.Builder
	more  chan struct{}
}

func newRecorder() *recorder { return &recorder{more: make(chan struct{})} }

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.more)
	r.more = make(chan struct{})
	return r.lines.Write(p)
}

func (r *recorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines.String()
}

func (s *system) wait(line string) []string {
	s.t.Helper()
	re := regexp.MustCompile("(?m)" + line)
	timeout := time.After(patience)
	for {
		s.record.mu.Lock()
		m, more := re.FindStringSubmatch(s.record.lines.String()), s.record.more
		s.record.mu.Unlock()
		if m != nil {
			return m
		}
		select {
		case <-more:
		case <-timeout:
			s.t.Fatalf("no line %q in\n%s", line, s.record.text())
		}
	}
}

// TestLife is the whole way of a message with a success, a deferral and a failure,
// and of its bounce.
func TestLife(t *testing.T) {
	for _, width := range []spawn.Width{spawn.Classic, spawn.Wide} {
		s := launch(t, width, 120, map[string]string{})
		s.wait(`^status: local 0/10 remote 0/20$`)
		s.enqueue("se@far.example", "a@here.example", "b@far.example", "c@far.example")
		a := s.spawners[route.Local].next(t)
		b, c := s.spawners[route.Remote].next(t), s.spawners[route.Remote].next(t)
		if a.Recipient != "a@here.example" || b.Sender != "se@far.example" || c.Recipient != "c@far.example" {
			t.Errorf("%+v %+v %+v", a, b, c)
		}
		s.spawners[route.Local].report(a, "Kok\n")
		s.spawners[route.Remote].report(c, "Zlater\n")
		s.spawners[route.Remote].report(b, "Dno such user\n")
		s.wait(`^delivery \d+: deferral: later/$`)
		s.wait(`^delivery \d+: failure: no_such_user/$`)
		s.signals <- RunAll
		again := s.spawners[route.Remote].next(t)
		if again.Recipient != "c@far.example" {
			t.Errorf("tried again: %+v", again)
		}
		s.spawners[route.Remote].report(again, "Kok\n")
		bounce := s.spawners[route.Remote].next(t)
		if bounce.Sender != "" || bounce.Recipient != "se@far.example" {
			t.Errorf("bounce: %+v", bounce)
		}
		s.wait(`^bounce msg \d+ qp \d+\nend msg \d+$`)
		text := queuetest.Get(t, s.home+"/queue", "mess/"+bounce.Message)
		if !strings.Contains(text, "\n<b@far.example>:\nno such user\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <se@far.example>\nSubject: x\n") {
			t.Errorf("%q", text)
		}
		s.spawners[route.Remote].report(bounce, "Kok\n")
		s.wait(`^info msg \d+: bytes \d+ from <> qp 8 uid 7(?s:.*)\nend msg \d+$`)
		s.signals <- Exit
		s.end()
		if left := queuetest.Files(t, s.home+"/queue"); len(left) != 0 {
			t.Errorf("left %v", left)
		}
		if !strings.HasSuffix(s.record.text(), "status: exiting\n") {
			t.Error(s.record.text())
		}
	}
}

// TestStuckSpawner: a spawner that reads no commands holds up nobody else, and what
// it gets when it reads again is complete.
func TestStuckSpawner(t *testing.T) {
	s := launch(t, spawn.Wide, spawn.WideLimit, map[string]string{"concurrencylocal": "10000\n"})
	var many []string
	for range 2000 {
		many = append(many, strings.Repeat("x", 200)+"@here.example")
	}
	s.enqueue("se@far.example", many...)
	s.spawners[route.Local].next(t)
	s.enqueue("se@far.example", "r@far.example")
	s.spawners[route.Remote].report(s.spawners[route.Remote].next(t), "Kok\n")
	s.wait(`^delivery \d+: success: ok/$`)
	for range len(many) - 1 {
		if c := s.spawners[route.Local].next(t); c.Recipient != many[0] {
			t.Fatalf("%+v", c)
		}
	}
	s.spawners[route.Local].die()
	s.wait(`^alert: oh no! lost spawn connection! dying\.\.\.$`)
	s.end()
}

// TestLost: without one of the others it leaves, but finishes what the rest does.
func TestLost(t *testing.T) {
	for _, c := range []struct {
		name  string
		lose  func(*system)
		alert string
	}{
		{"qmail-lspawn", func(s *system) { s.spawners[route.Local].die() }, "lost spawn connection"},
		{"qmail-clean", func(s *system) { s.requests.Close() }, "lost qmail-clean connection"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := launch(t, spawn.Classic, 120, map[string]string{})
			s.enqueue("se@far.example", "r@far.example", "later@far.example")
			first, second := s.spawners[route.Remote].next(t), s.spawners[route.Remote].next(t)
			c.lose(s)
			s.wait("^alert: oh no! " + c.alert)
			s.spawners[route.Remote].report(first, "Kok\n")
			s.wait(`^status: local 0/10 remote 1/20 exitasap$`)
			s.spawners[route.Remote].report(second, "Zlater\n")
			s.end()
			list := queuetest.Get(t, s.home+"/queue", "remote/"+first.Message)
			if list != "Dr@far.example\x00Tlater@far.example\x00" {
				t.Errorf("%q", list)
			}
		})
	}
}

// TestReread: HUP changes where mail goes from then on.
func TestReread(t *testing.T) {
	s := launch(t, spawn.Classic, 120, map[string]string{})
	s.wait(`^status`)
	os.WriteFile(s.home+"/control/virtualdomains", []byte("v.example:vu\n"), 0o644)
	s.signals <- Reread
	s.signals <- RunAll // is taken when the first is done with
	os.Remove(s.home + "/control/me")
	s.signals <- Reread
	s.wait(`^alert: unable to reread control/locals$`)
	s.enqueue("se@far.example", "joe@v.example", "joe@here.example")
	for _, want := range []string{"vu-joe@v.example", "joe@here.example"} {
		if got := s.spawners[route.Local].next(t).Recipient; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestCannotStart: the reason is in the record, and the queue is left as it is.
func TestCannotStart(t *testing.T) {
	pipes := func(t *testing.T, say string) Pipes {
		r, w := pipe2(t)
		w.WriteString(say)
		w.Close()
		_, commands := pipe2(t)
		return Pipes{commands, r}
	}
	for _, c := range []struct {
		name  string
		cause func(*testing.T, *Config)
		want  string
	}{
		{"no home", func(_ *testing.T, c *Config) { c.Home += "/away" }, "unable to switch to home directory"},
		{"no controls", func(_ *testing.T, c *Config) { os.Remove(c.Home + "/control/me") }, "unable to read controls"},
		{"no queue", func(_ *testing.T, c *Config) { os.Rename(c.Home+"/queue", c.Home+"/away") }, "unable to switch to queue directory"},
		{"a queue that is not whole", func(_ *testing.T, c *Config) { os.Remove(c.Home + "/queue/mess/5") }, "unable to open queue: .*/queue/mess: 22 subdirectories up to number 22"},
		{"no mutex", func(_ *testing.T, c *Config) { os.Remove(c.Home + "/queue/lock/sendmutex") }, "unable to open mutex"},
		{"another runs", func(t *testing.T, c *Config) {
			q, _ := queue.Open(c.Home + "/queue")
			lock, err := q.Lock()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { lock.Close() })
		}, "qmail-send is already running"},
		{"no word from qmail-lspawn", func(t *testing.T, c *Config) { c.Spawners[0] = pipes(t, "") }, `hath the daemon spawn no fire\?`},
		{"half a word from qmail-rspawn", func(t *testing.T, c *Config) {
			c.Width = spawn.Wide
			c.Spawners = [route.Channels]Pipes{pipes(t, "\x00\x00\x00x"), pipes(t, "\x00\x00\x00")}
		}, `hath the daemon spawn no fire\?`},
		{"no descriptors", func(t *testing.T, c *Config) { c.Spawners[1] = Pipes{} }, `hath the daemon spawn no fire\?`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := queuetest.New(t, 23)
			record := newRecorder()
			config := Config{Home: strings.TrimSuffix(dir, "/queue"), Record: record, Width: spawn.Classic, Now: time.Now}
			config.Spawners = [route.Channels]Pipes{pipes(t, "x"), pipes(t, "x")}
			controls(t, config.Home, map[string]string{"me": "here.example\n"})
			c.cause(t, &config)
			err := Run(config)
			if err != ErrStart || !regexp.MustCompile("^alert: cannot start: "+c.want+"\n$").MatchString(record.text()) {
				t.Errorf("%v, %q", err, record.text())
			}
		})
	}
}

// TestRecordDescriptor: a reader that is slow gets everything, also where somebody
// has made the descriptor non-blocking.
func TestRecordDescriptor(t *testing.T) {
	theirs, ours, err := child.PipeTo()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("new msg 457\n", 20_000)
	done := make(chan string)
	go func() {
		got, _ := io.ReadAll(theirs)
		done <- string(got)
	}()
	raw, _ := ours.SyscallConn()
	raw.Control(func(fd uintptr) {
		if n, err := RecordDescriptor(fd).Write([]byte(text)); n != len(text) || err != nil {
			t.Error(n, err)
		}
	})
	ours.Close()
	if got := <-done; got != text {
		t.Errorf("%d bytes of %d", len(got), len(text))
	}
	if _, err := RecordDescriptor(-1).Write([]byte("x")); err == nil {
		t.Error("wrote nowhere")
	}
}
