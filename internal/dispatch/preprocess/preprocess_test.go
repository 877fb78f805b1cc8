package preprocess

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"goqmail/internal/dispatch/clean"
	"goqmail/internal/dispatch/route"
	"goqmail/internal/mail/fold"
	"goqmail/queue"
	"goqmail/queue/queuetest"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// remover is a qmail-clean that works at once.
type remover struct {
	dir    string
	answer byte // what to say without doing anything, if not 0
	lost   bool
	asked  int
}

func (r *remover) Ask(what clean.Order, numbers ...queue.Number) []byte {
	r.asked += len(numbers)
	answers := make([]byte, len(numbers))
	for i, n := range numbers {
		if r.lost {
			continue
		}
		if r.answer != 0 {
			answers[i] = r.answer
			continue
		}
		os.Remove(filepath.Join(r.dir, "intd", n.String()))
		os.Remove(filepath.Join(r.dir, string(what), n.String()))
		answers[i] = clean.Done
	}
	return answers
}

// site is a queue and a preprocessor of it that does not run by itself.
type site struct {
	dir     string
	clean   *remover
	p       *Preprocessor
	reports chan Report
}

func newSite(t testing.TB) *site {
	dir := queuetest.New(t, 23)
	q, err := queue.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{dir: dir, clean: &remover{dir: dir}, reports: make(chan Report, 1000)}
	routes := &route.Table{
		Locals:      fold.NewSet([]string{"here.example"}),
		Virtual:     fold.NewMap([]string{"v.example:vu"}),
		EnvNoAtHost: "here.example",
	}
	s.p = &Preprocessor{
		Queue:  q,
		Routes: func() *route.Table { return routes },
		Clean:  s.clean,
		Report: func(r Report) { s.reports <- r },
		Now:    func() time.Time { return noon },
		User:   2000,
		inHand: map[queue.Number]hand{},
	}
	return s
}

func (s *site) put(t testing.TB, n int, envelope string) {
	queuetest.Put(t, s.dir, fmt.Sprintf("mess/%d/%d", n%23, n), "body\n")
	queuetest.Put(t, s.dir, fmt.Sprintf("intd/%d", n), envelope)
	if err := os.Link(fmt.Sprintf("%s/intd/%d", s.dir, n), fmt.Sprintf("%s/todo/%d", s.dir, n)); err != nil {
		t.Fatal(err)
	}
}

// run preprocesses messages as one batch.
func (s *site) run(numbers ...queue.Number) Report {
	s.p.finish(newWriter(s.p).preprocess(numbers))
	return <-s.reports
}

// files returns what is in the queue, as "name text".
func (s *site) files(t testing.TB) []string {
	var list []string
	for _, name := range queuetest.Files(t, s.dir) {
		list = append(list, name+" "+strings.ReplaceAll(queuetest.Get(t, s.dir, name), "\x00", "|"))
	}
	return list
}

const envelope = "u1000\x00p6701\x00Fs@x\x00Tjoe@here.example\x00Tann@far.example\x00Tbob@v.example\x00"

// TestFiles: what a message looks like afterwards.
func TestFiles(t *testing.T) {
	for _, c := range []struct {
		name, envelope, lines string
		lists                 [route.Channels]bool
		files                 []string
	}{
		{"both channels", envelope, "new msg 457\ninfo msg 457: bytes 5 from <s@x> qp 6701 uid 1000\n",
			[2]bool{true, true}, []string{"info/20/457 Fs@x|", "local/20/457 Tjoe@here.example|Tvu-bob@v.example|", "remote/20/457 Tann@far.example|"}},
		{"only local", "u1\x00p2\x00Fs@x\x00Tjoe\x00", "new msg 457\ninfo msg 457: bytes 5 from <s@x> qp 2 uid 1\n",
			[2]bool{true, false}, []string{"info/20/457 Fs@x|", "local/20/457 Tjoe@here.example|"}},
		{"nobody", "u1\x00p2\x00F\x00", "new msg 457\ninfo msg 457: bytes 5 from <> qp 2 uid 1\n",
			[2]bool{}, []string{"info/20/457 F|"}},
		{"only a sender", "Fs\x00", "new msg 457\ninfo msg 457: bytes 5 from <s> qp 0 uid 0\n",
			[2]bool{}, []string{"info/20/457 Fs|"}},
		{"two senders: the first counts", "Fs\x00Ft\x00Tr@x\x00", "new msg 457\ninfo msg 457: bytes 5 from <s> qp 0 uid 0\n",
			[2]bool{false, true}, []string{"info/20/457 Fs|", "remote/20/457 Tr@x|"}},
		{"numbers that are none", "ux\x00p-1\x00Fs\x00", "new msg 457\ninfo msg 457: bytes 5 from <s> qp 0 uid 0\n",
			[2]bool{}, []string{"info/20/457 Fs|"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			s.put(t, 457, c.envelope)
			for _, old := range []string{"info", "local", "remote"} { // of an earlier attempt
				queuetest.Put(t, s.dir, old+"/20/457", "Told@x\x00")
			}
			r := s.run(457)
			if string(r.Lines.Text()) != c.lines || !reflect.DeepEqual(r.Messages, []Message{{457, c.lists}}) {
				t.Errorf("%s%v", r.Lines.Text(), r.Messages)
			}
			var want []string
			want = append(want, c.files[0])
			want = append(want, c.files[1:]...)
			want = append(want, "mess/20/457 body\n")
			slices.Sort(want)
			if got := s.files(t); !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
			if len(s.p.inHand) != 0 {
				t.Errorf("in hand: %v", s.p.inHand)
			}
		})
	}
}

// TestTrouble: what goes wrong is told, the message stays in todo and is tried
// again later; the others of its batch are not concerned.
func TestTrouble(t *testing.T) {
	for _, c := range []struct {
		name  string
		cause func(*site)
		line  string
	}{
		{"todo cannot be read", func(s *site) {
			os.Remove(s.dir + "/todo/457")
			os.Mkdir(s.dir+"/todo/457", 0o755)
		}, "warning: trouble reading todo/457\n"},
		{"no message", func(s *site) { os.Remove(s.dir + "/mess/20/457") }, "warning: unable to stat mess/20/457\n"},
		{"an old list cannot be removed", func(s *site) { os.Mkdir(s.dir+"/remote/20/457", 0o755) }, "warning: unable to unlink remote/20/457\n"},
		{"info cannot be removed", func(s *site) { os.Mkdir(s.dir+"/info/20/457", 0o755) }, "warning: unable to unlink info/20/457\n"},
		{"no directory for info", func(s *site) { os.Remove(s.dir + "/info/20") }, "warning: unable to create info/20/457\n"},
		{"no directory for local", func(s *site) { os.Remove(s.dir + "/local/20") }, "warning: unable to create local/20/457\n"},
		{"unknown record", func(s *site) { os.WriteFile(s.dir+"/todo/457", []byte("Fs\x00Xr\x00"), 0o644) }, "warning: unknown record type in todo/457\n"},
		{"empty record", func(s *site) { os.WriteFile(s.dir+"/todo/457", []byte("Fs\x00\x00"), 0o644) }, "warning: unknown record type in todo/457\n"},
		{"cut off", func(s *site) { os.WriteFile(s.dir+"/todo/457", []byte("Fs\x00Tr@x\x00Tr"), 0o644) }, "warning: trouble reading todo/457\n"},
		{"empty", func(s *site) { os.WriteFile(s.dir+"/todo/457", nil, 0o644) }, "warning: trouble reading todo/457\n"},
		{"no sender", func(s *site) { os.WriteFile(s.dir+"/todo/457", []byte("Tr@x\x00"), 0o644) }, "warning: trouble reading todo/457\n"},
		{"qmail-clean fails", func(s *site) { s.clean.answer = '!' }, "warning: qmail-clean unable to clean up todo/457\n"},
		{"qmail-clean is gone", func(s *site) { s.clean.lost = true }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			s.put(t, 457, envelope)
			s.put(t, 458, envelope)
			c.cause(s)
			r := s.run(457, 458)
			var bad, good string
			for line := range strings.Lines(string(r.Lines.Text())) {
				switch {
				case strings.Contains(line, "458"):
					good += line
				case strings.HasPrefix(line, "warning"):
					bad += line
				}
			}
			if bad != c.line {
				t.Errorf("%q, want %q", bad, c.line)
			}
			if s.clean.answer == 0 && !s.clean.lost && (len(r.Messages) != 1 || r.Messages[0].Number != 458) {
				t.Errorf("the other: %v, %q", r.Messages, good)
			}
			if _, err := os.Lstat(s.dir + "/todo/457"); err != nil {
				t.Error(err)
			}
			if got := s.p.inHand[457]; got.again.Sub(noon) != again || s.p.take(457) {
				t.Errorf("in hand: %+v", got)
			}
			s.p.Now = func() time.Time { return noon.Add(again) }
			if !s.p.take(457) {
				t.Error("not tried again")
			}
		})
	}
}

// TestUnordered: where the filesystem keeps no order, todo is synced before anything is
// written, and nothing is where that fails.
func TestUnordered(t *testing.T) {
	s := newSite(t)
	s.put(t, 457, envelope)
	w := newWriter(s.p)
	w.ordered = false
	if err := os.Rename(s.dir+"/todo", s.dir+"/away"); err != nil {
		t.Fatal(err)
	}
	m := w.preprocess([]queue.Number{457})[0]
	if got := string(m.lines.Text()); got != "warning: trouble fsyncing todo\n" || !m.trouble {
		t.Errorf("%q, %v", got, m.trouble)
	}
	if _, err := os.Lstat(s.dir + "/info/20/457"); !os.IsNotExist(err) {
		t.Error(err)
	}
	if err := os.Rename(s.dir+"/away", s.dir+"/todo"); err != nil {
		t.Fatal(err)
	}
	if m := w.preprocess([]queue.Number{457})[0]; !m.done {
		t.Errorf("%q", m.lines.Text())
	}
}

// TestGone: a message that was preprocessed already is passed over in silence.
func TestGone(t *testing.T) {
	s := newSite(t)
	queuetest.Put(t, s.dir, "info/20/457", "Fs\x00")
	if r := s.run(457); len(r.Lines.Text()) != 0 || r.Messages != nil {
		t.Errorf("%s%v", r.Lines.Text(), r.Messages)
	}
	if got := s.files(t); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// TestCrash stops at each step, as a crash would. The message is still in todo, and
// the next attempt makes of it what there would have been without the crash.
func TestCrash(t *testing.T) {
	for step, left := range map[Step][]string{
		Cleared: nil,
		Created: {"info/20/457 "},
		Written: {"info/20/457 Fs@x|", "local/20/457 Tjoe@here.example|Tvu-bob@v.example|", "remote/20/457 Tann@far.example|"},
		Synced:  {"info/20/457 Fs@x|", "local/20/457 Tjoe@here.example|Tvu-bob@v.example|", "remote/20/457 Tann@far.example|"},
	} {
		s := newSite(t)
		s.put(t, 457, envelope)
		queuetest.Put(t, s.dir, "local/20/457", "Dold@x\x00")
		s.p.crash = func(at Step) bool { return at == step }
		newWriter(s.p).preprocess([]queue.Number{457})
		todo := strings.ReplaceAll(envelope, "\x00", "|")
		want := append(left, "intd/457 "+todo, "mess/20/457 body\n", "todo/457 "+todo)
		slices.Sort(want)
		if got := s.files(t); !slices.Equal(got, want) {
			t.Errorf("step %d: left %q, want %q", step, got, want)
		}
		if s.clean.asked != 0 {
			t.Errorf("step %d: todo was removed", step)
		}
		s.p.crash = nil
		if r := s.run(457); len(r.Messages) != 1 {
			t.Errorf("step %d: %s", step, r.Lines.Text())
		}
		want = []string{"info/20/457 Fs@x|", "local/20/457 Tjoe@here.example|Tvu-bob@v.example|", "mess/20/457 body\n", "remote/20/457 Tann@far.example|"}
		if got := s.files(t); !slices.Equal(got, want) {
			t.Errorf("step %d: in the end %q, want %q", step, got, want)
		}
	}
}

// TestManyRecipients: a list longer than any buffer, and addresses as well.
func TestManyRecipients(t *testing.T) {
	s := newSite(t)
	var b, local, remote strings.Builder
	b.WriteString("u1\x00p2\x00Fs@x\x00")
	for i := range 20_000 {
		r := fmt.Sprintf("%0*d@", 1+i%500, i)
		if i%3 == 0 {
			fmt.Fprintf(&b, "T%shere.example\x00", r)
			fmt.Fprintf(&local, "T%shere.example\x00", r)
		} else {
			fmt.Fprintf(&b, "T%sfar.example\x00", r)
			fmt.Fprintf(&remote, "T%sfar.example\x00", r)
		}
	}
	s.put(t, 457, b.String())
	s.run(457)
	if queuetest.Get(t, s.dir, "local/20/457") != local.String() || queuetest.Get(t, s.dir, "remote/20/457") != remote.String() {
		t.Error("the lists differ")
	}
}

// FuzzTodo: whatever todo holds, either the message is preprocessed with the sender
// and as many recipients as there are, or it stays.
func FuzzTodo(f *testing.F) {
	f.Add([]byte(envelope))
	f.Add([]byte("Fs\x00Tr"))
	f.Add([]byte("u1\x00Fs\x00X\x00"))
	s := newSite(f)
	f.Fuzz(func(t *testing.T, todo []byte) {
		queuetest.Put(t, s.dir, "mess/20/457", "body\n")
		queuetest.Put(t, s.dir, "todo/457", string(todo))
		r := s.run(457)
		delete(s.p.inHand, 457)
		_, err := os.Stat(s.dir + "/todo/457")
		if (len(r.Messages) == 1) != os.IsNotExist(err) {
			t.Fatalf("%v, %v", r.Messages, err)
		}
		if len(r.Messages) == 0 {
			return
		}
		recipients := 0
		for c, there := range r.Messages[0].Lists {
			list, err := os.ReadFile(s.p.Queue.Path(route.Channel(c).Kind(), 457))
			if there != (err == nil) {
				t.Errorf("list %d: %v, %v", c, there, err)
			}
			recipients += strings.Count(string(list), "\x00")
		}
		want := 0
		for record := range strings.SplitSeq(string(todo), "\x00") {
			if strings.HasPrefix(record, "T") {
				want++
			}
		}
		if recipients != want {
			t.Errorf("%q has %d recipients, the lists %d", todo, want, recipients)
		}
	})
}
