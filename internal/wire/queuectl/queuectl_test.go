package queuectl

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"goqmail/internal/wire/netstring"
	"goqmail/queue"
)

func TestRequests(t *testing.T) {
	for _, c := range []struct {
		text string
		want Request
	}{
		{"list\x00", Request{Verb: List}},
		{"list\x00457\x00458.1000\x00", Request{Verb: List, Messages: []Name{{457, 0}, {458, 1000}}}},
		{"delete\x00457.1000\x00", Request{Verb: Delete, Messages: []Name{{457, 1000}}}},
		{"bounce\x00why\nnot\x00457\x00", Request{Verb: Bounce, Reason: "why\nnot", Messages: []Name{{457, 0}}}},
		{"bounce\x00\x00457\x00", Request{Verb: Bounce, Messages: []Name{{457, 0}}}},
		{"retry\x00457.-5\x00", Request{Verb: Retry, Messages: []Name{{457, -5}}}}, // before 1970
		{"run\x00", Request{Verb: Run}},
		{"pause\x00X.example\x00y\x00", Request{Verb: Pause, Domains: []string{"X.example", "y"}}},
		{"paused\x00", Request{Verb: Paused}},
	} {
		got, err := ParseRequest([]byte(c.text))
		if err != nil || got.Verb != c.want.Verb || got.Reason != c.want.Reason || !reflect.DeepEqual(got.Messages, c.want.Messages) || len(got.Domains) != len(c.want.Domains) {
			t.Errorf("%q: %+v, %v", c.text, got, err)
		}
		if back := string(got.Append(nil)); back != c.text {
			t.Errorf("%q becomes %q", c.text, back)
		}
	}
	for _, text := range []string{
		"", "\x00", "list", "list\x00457", "shutdown\x00", "LIST\x00", "delete\x00", "hold\x00\x00", "delete\x000\x00", "delete\x00-1\x00",
		"delete\x0018446744073709551616\x00", "delete\x00457.\x00", "delete\x00457.0\x00", "delete\x00457.1.2\x00", "delete\x00../457\x00", "run\x001\x00",
		"bounce\x00", "bounce\x00why\x00", "bounce\x00" + strings.Repeat("x", MaxReason+1) + "\x001\x00", "pause\x00", "pause\x00a b\x00", "pause\x00a@b\x00",
		"pause\x00#x\x00", "pause\x00a\nb\x00", "pause\x00" + strings.Repeat("x", MaxDomain+1) + "\x00", "resume\x00\xff\x00", "paused\x00x\x00",
		"list\x00" + strings.Repeat("7\x00", MaxMessages+1),
	} {
		if r, err := ParseRequest([]byte(text)); !errors.Is(err, ErrForm) {
			t.Errorf("%.60q is %+v, %v", text, r, err)
		}
	}
}

// answers are records as they come over the socket.
func answers(records ...[]byte) []byte {
	var b []byte
	for _, r := range records {
		b = netstring.Append(b, string(r))
	}
	return b
}

var (
	aMessage = Message{Message: queue.Message{Number: 457, Sender: "s@x", Born: time.Unix(1000, 0), Size: 612, Noted: true, Mark: queue.Held}}
	waiting  = queue.Recipient{Kind: queue.Local, Address: "a@y", Next: time.Unix(2000, 0)}
	said     = Live{Running: true, Paused: true, Reply: "no\n", Replied: time.Unix(1500, 0)}
)

func TestAnswers(t *testing.T) {
	sent := answers(
		aMessage.Append(nil),
		AppendRecipient(nil, waiting, said),
		AppendRecipient(nil, queue.Recipient{Kind: queue.Remote, Done: true}, Live{}),
		Message{Message: queue.Message{Number: 458, Queued: true, Size: -1}}.Append(nil),
		Result{459, Failed, "why"}.Append(nil),
		Domain("x.example").Append(nil),
		nil,
	)
	var messages []Message
	var results []Result
	var domains []Domain
	all := Answers{
		func(m Message) error { messages = append(messages, m); return nil },
		func(r Result) { results = append(results, r) },
		func(d Domain) { domains = append(domains, d) },
	}
	if err := Receive(bufio.NewReader(bytes.NewReader(sent)), all); err != nil {
		t.Fatal(err)
	}
	first := aMessage
	first.Recipients = []queue.Recipient{waiting, {Kind: queue.Remote, Done: true}}
	first.Live = []Live{said, {}}
	if want := []Message{first, {Message: queue.Message{Number: 458, Queued: true, Size: -1}}}; !reflect.DeepEqual(messages, want) {
		t.Errorf("%+v", messages)
	}
	if !reflect.DeepEqual(results, []Result{{459, Failed, "why"}}) || !reflect.DeepEqual(domains, []Domain{"x.example"}) {
		t.Errorf("%v, %v", results, domains)
	}
	refused := Refusal("no")
	if err := Receive(bufio.NewReader(bytes.NewReader(answers(Refusal("no").Append(nil), nil))), Answers{}); err != refused {
		t.Errorf("%v", err)
	}
	for _, cut := range []int{0, 1, 10, len(sent) - 1, len(sent) - 3} {
		if err := Receive(bufio.NewReader(bytes.NewReader(sent[:cut])), Answers{}); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	for _, bad := range []string{
		"x\x00", "m", "m457\x00", "m457\x001\x001\x00z\x00s\x00", "m0\x001\x001\x00\x00s\x00", "m4\x00x\x001\x00\x00s\x00", "m4\x001\x00x\x00\x00s\x00",
		"rlocal\x00\x000\x000\x00a\x00\x00", "d457\x00\x00", "d457\x00?\x00", "dx\x00+\x00", "p\x00\x00", "e",
	} {
		if err := Receive(bufio.NewReader(bytes.NewReader(answers([]byte(bad), nil))), Answers{}); !errors.Is(err, ErrForm) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, bad := range []string{"rmess\x00\x000\x000\x00a\x00\x00", "rlocal\x00x\x000\x000\x00a\x00\x00", "rlocal\x00\x00x\x000\x00a\x00\x00"} {
		if err := Receive(bufio.NewReader(bytes.NewReader(answers(aMessage.Append(nil), []byte(bad), nil))), Answers{}); !errors.Is(err, ErrForm) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// FuzzParseRequest: what is taken for a request is one, and says what was read.
func FuzzParseRequest(f *testing.F) {
	f.Add([]byte("list\x00"))
	f.Add([]byte("delete\x00457.1000\x00458\x00"))
	f.Add([]byte("bounce\x00because\x00457\x00"))
	f.Add([]byte("pause\x00x.example\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRequest(b)
		if err != nil {
			return
		}
		again, err := ParseRequest(r.Append(nil))
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Errorf("%q: %+v, again %+v, %v", b, r, again, err)
		}
	})
}

// FuzzReceive: a client survives any answer, and what it takes for records can be sent.
func FuzzReceive(f *testing.F) {
	f.Add(answers(aMessage.Append(nil), AppendRecipient(nil, waiting, said), Result{457, Later, "x"}.Append(nil), Domain("x").Append(nil), nil))
	f.Add(answers(Refusal("permission denied").Append(nil), nil))
	f.Add([]byte("9999999999:"))
	f.Fuzz(func(t *testing.T, b []byte) {
		Receive(bufio.NewReader(bytes.NewReader(b)), Answers{
			Message: func(m Message) error {
				if len(m.Live) != len(m.Recipients) {
					t.Error("recipients and what is known of them")
				}
				v, err := parseRecord(m.Append(nil))
				if back, ok := v.(Message); err != nil || !ok || back.Number != m.Number || back.Sender != m.Sender || back.Mark != m.Mark {
					t.Errorf("%+v becomes %+v, %v", m, v, err)
				}
				return nil
			},
			Result: func(r Result) {
				if len(r.Text) <= maxReply {
					if v, err := parseRecord(r.Append(nil)); err != nil || v != r {
						t.Errorf("%+v becomes %+v, %v", r, v, err)
					}
				}
			},
		})
	})
}

// FuzzPaused: whatever is in the file, only domains come out, and each once.
func FuzzPaused(f *testing.F) {
	f.Add([]byte("x.example\nY.example\n# no\n\nx.example"))
	f.Fuzz(func(t *testing.T, text []byte) {
		last := ""
		for _, d := range ParsePaused(text) {
			if !ValidDomain(d) || d <= last {
				t.Errorf("%q behind %q", d, last)
			}
			last = d
		}
	})
}

// place makes a directory for a socket.
func place(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 20)) // no address for a socket
	if err := os.MkdirAll(filepath.Join(dir, Directory), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSocket(t *testing.T) {
	dir := place(t)
	if _, err := Dial(dir); !errors.Is(err, ErrNobody) {
		t.Errorf("%v", err)
	}
	if _, err := Dial(dir + "/no"); !errors.Is(err, ErrNobody) {
		t.Errorf("%v", err)
	}
	if _, err := Listen(dir + "/no"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	// What another has left is replaced.
	if err := os.WriteFile(filepath.Join(dir, Directory, socket), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, uid, allowed, err := l.Accept()
			if err != nil {
				return
			}
			if uid != uint32(os.Getuid()) || !allowed {
				t.Errorf("uid %d, %v", uid, allowed)
			}
			r, err := c.Request()
			if err != nil {
				c.Send(Refusal("malformed request"))
			}
			for _, m := range r.Messages {
				c.Send(Result{m.Number, Done, ""})
			}
			for range 100_000 * len(r.Domains) { // more than a socket holds
				c.Send(Domain(r.Domains[0]))
			}
			c.End()
			c.Close()
		}
	}()
	ask := func(r Request) (n int, err error) {
		c, err := Dial(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		err = c.Ask(r, Answers{Result: func(Result) { n++ }, Domain: func(Domain) { n++ }})
		return n, err
	}
	many := make([]Name, MaxMessages)
	for i := range many {
		many[i] = Name{1<<64 - 1, 1764285000}
	}
	if n, err := ask(Request{Verb: Hold, Messages: many}); n != MaxMessages || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := ask(Request{Verb: Resume, Domains: []string{"x.example"}}); n != 100_000 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := ask(Request{Verb: "what"}); err == nil || err.Error() != "malformed request" {
		t.Errorf("%v", err)
	}
	l.Close()
	if _, err := Dial(dir); !errors.Is(err, ErrNobody) {
		t.Errorf("%v", err)
	}
	if _, _, _, err := l.Accept(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v", err)
	}
	(*Listener)(nil).Close()
}

func TestChangePaused(t *testing.T) {
	dir := place(t)
	for _, c := range []struct {
		pause bool
		what  string
		want  string
	}{
		{true, "Y.example", "y.example"},
		{true, "x.example y.EXAMPLE", "x.example y.example"},
		{false, "X.example z.example", "y.example"},
		{false, "y.example", ""},
	} {
		now, err := ChangePaused(dir, c.pause, strings.Fields(c.what))
		read, err2 := ReadPaused(dir)
		if got := strings.Join(now, " "); err != nil || err2 != nil || got != c.want || strings.Join(read, " ") != got {
			t.Errorf("%+v: %q, %q, %v, %v", c, now, read, err, err2)
		}
	}
	if _, err := ChangePaused(dir+"/no", true, []string{"x"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
