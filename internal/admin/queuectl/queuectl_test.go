package queuectl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"goqmail/internal/mail/fold"
	"goqmail/internal/mail/outcome"
	wire "goqmail/internal/wire/queuectl"
	"goqmail/queue"
	"goqmail/queue/queuetest"
)

// now is when the tests are; messages are an hour old unless they say otherwise.
var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// anybody has every account.
type anybody struct{}

func (anybody) UID(string) (uint32, error) { return uint32(os.Getuid()), nil }
func (anybody) GID(string) (uint32, error) { return uint32(os.Getgid()), nil }

// A bench is a queue that no qmail-send runs on.
type bench struct {
	t   *testing.T
	dir string
}

func newBench(t *testing.T) *bench {
	b := &bench{t, queuetest.New(t, 23)}
	if err := os.Mkdir(b.dir+"/queuectl", 0o755); err != nil {
		t.Fatal(err)
	}
	return b
}

// put puts a preprocessed message into the queue.
func (b *bench) put(n int, sender, local, remote string, age time.Duration) {
	file := func(name, text string, at time.Time) {
		queuetest.Put(b.t, b.dir, name, text)
		if err := errors.Join(os.Chmod(b.dir+"/"+name, 0o600), os.Chtimes(b.dir+"/"+name, at, at)); err != nil {
			b.t.Fatal(err)
		}
	}
	file(fmt.Sprintf("mess/%d/%d", n%23, n), "Subject: x\x1b[2J\n\nbody\n", now)
	file(fmt.Sprintf("info/%d/%d", n%23, n), "F"+sender+"\x00", now.Add(-age))
	if local != "" {
		file(fmt.Sprintf("local/%d/%d", n%23, n), local, now.Add(400*time.Second))
	}
	if remote != "" {
		file(fmt.Sprintf("remote/%d/%d", n%23, n), remote, now.Add(-time.Second))
	}
}

// run calls the program and returns what it prints, and its outcome.
func (b *bench) run(args ...string) (out, notices string, err error) {
	var o, n bytes.Buffer
	err = Desk{Home: strings.TrimSuffix(b.dir, "/queue"), Accounts: anybody{}, Out: &o, Notices: &n, Now: now}.Run(args)
	return o.String(), n.String(), err
}

func TestList(t *testing.T) {
	b := newBench(t)
	b.put(457, "s@x.example", "Ta@y\x00Db@y\x00", "Tc\x1b@z\x00", time.Hour)
	queuetest.Put(t, b.dir, "bounce/457", "<d@y>:\nno\n\n")
	queuetest.Put(t, b.dir, "todo/458", "u1\x00p2\x00F\x00Te@y\x00")
	os.Chtimes(b.dir+"/todo/458", now, now)
	out, _, err := b.run("list")
	want := "458        2026-11-24 12:00:00        -1 <> queued\n" +
		"  -      waits   e@y\n" +
		"457        2026-11-24 11:00:00        21 <s@x.example> bouncing\n" +
		"  local  waits   a@y  next try 2026-11-24 12:06:40\n" +
		"  remote waits   c_@z  next try now\n" +
		"2 messages, 3 recipients not done, 21 bytes\n"
	if out != want || err != nil {
		t.Errorf("%s%v", out, err)
	}
	out, _, err = b.run("show", "#457")
	want = "457        2026-11-24 11:00:00        21 <s@x.example> bouncing\n" +
		"  local  waits   a@y  next try 2026-11-24 12:06:40\n" +
		"  local  done    b@y\n" +
		"  remote waits   c_@z  next try now\n" +
		"notes:\n    <d@y>:\n    no\n    \nheader:\n    Subject: x_[2J\n"
	if out != want || err != nil {
		t.Errorf("%q %v", out, err)
	}
	if out, notices, err := b.run("show", "457", "9", "-j"); !strings.HasPrefix(out, "") || err == nil {
		t.Errorf("options behind numbers: %s, %s, %v", out, notices, err)
	}
	out, notices, err := b.run("show", "-j", "457", "9")
	var m jsonMessage
	if json.Unmarshal([]byte(out), &m) != nil || m.Number != 457 || m.Recipients[2].Address != "c\x1b@z" || m.Recipients[0].Next != now.Unix()+400 || outcome.Of(err) == outcome.Success || notices != "9: no such message\n" {
		t.Errorf("%s, %s, %v", out, notices, err)
	}
}

func TestCount(t *testing.T) {
	b := newBench(t)
	b.put(1, "s@x", "Ta@Y\x00Db@y\x00", "Tc@z\x00", time.Minute)
	b.put(2, "s@x", "", "Td@z\x00Te\x00", 5*time.Minute)
	b.put(3, "", "", "Td@z\x00", 100*24*time.Hour)
	out, _, err := b.run("count")
	want := "           T     5    10    20    40    80   160   320   640  1280 1280+\n" +
		"TOTAL      5     2     2     0     0     0     0     0     0     0     1\n" +
		"    z      3     1     1     0     0     0     0     0     0     0     1\n" +
		"   <>      1     0     1     0     0     0     0     0     0     0     0\n" +
		"    y      1     1     0     0     0     0     0     0     0     0     0\n"
	if err != nil || out != want {
		t.Errorf("%s%v", out, err)
	}
	out, _, err = b.run("count", "-Sj", "-n", "1d")
	if err != nil || out != `{"domain":"x","total":2,"by_age":[1,1,0,0,0,0,0,0,0,0]}`+"\n"+`{"domain":"TOTAL","total":2,"by_age":[1,1,0,0,0,0,0,0,0,0]}`+"\n" {
		t.Errorf("%s%v", out, err)
	}
}

// TestUsage: wrong calls do nothing and are failures.
func TestUsage(t *testing.T) {
	b := newBench(t)
	b.put(1, "s@x", "Ta@y\x00", "", time.Hour)
	before := queuetest.Files(t, b.dir)
	for _, args := range []string{
		"", "flush", "-a", "delete", "delete -y 1", "bounce -m x", "hold", "release", "retry", "requeue", "list -x", "list 0", "list x", "delete -y 1 1x", "delete -y 1 -1",
		"list -o x", "list -o 1y", "list -o -1", "list -n 99999999w", "list -g 0", "list -g 1T", "list -l 99999999999G", "list -s", "show", "show -a", "show -s x",
		"resume", "pause a@b", "resume -", "check x", "repair x", "repair 0", "repair 1 2", "hold -y 1 1", "delete -j 1", "bounce -y 1 -m " + strings.Repeat("x", 1001) + " 1",
		"delete 1", "bounce 1", "delete -y 2 1", "delete -y 1 1 2", "bounce -y 01 1",
	} {
		if args == "resume -" { // a domain of an odd name
			continue
		}
		_, _, err := b.run(strings.Fields(args)...)
		if args == "delete -y 1 1 2" { // of which one is there
			if status := new(outcome.Status); !errors.As(err, &status) || status.Code != 100 {
				t.Errorf("%s: %v", args, err)
			}
			b.put(1, "s@x", "Ta@y\x00", "", time.Hour)
			continue
		}
		if outcome.Of(err) != outcome.Failure {
			t.Errorf("%s: %v", args, err)
		}
		if got := queuetest.Files(t, b.dir); !slices.Equal(got, before) {
			t.Fatalf("%s: left %v", args, got)
		}
	}
}

func TestChoice(t *testing.T) {
	m := wire.Message{Message: queue.Message{Number: 457, Sender: "Joe@X.example", Born: now.Add(-time.Hour), Size: 2048, Recipients: []queue.Recipient{
		{Kind: queue.Local, Address: "ann-list@Y.example"}, {Kind: queue.Remote, Address: "bob@z.example", Done: true},
	}}}
	for args, want := range map[string]bool{
		"":                              true,
		"-a":                            true,
		"457":                           true,
		"-s joe@x.example":              true,
		"-s <JOE@x.example>":            true,
		"-s joe@*":                      true,
		"-s *":                          true,
		"-s *@x.*":                      true,
		"-s j*e*x*e":                    true,
		"-s joe@x.example*":             true,
		"-s joe":                        false,
		"-s *oe":                        false,
		"-s joe@x.example*x.example":    false,
		"-s <>":                         false,
		"-d y.example":                  true,
		"-d z.example":                  false,
		"-d example":                    false,
		"-d *.example":                  true,
		"-r ann-*":                      true,
		"-r bob@z.example":              false,
		"-r ann-* -d y.example":         true,
		"-r ann-* -d z.example":         false,
		"-o 59m":                        true,
		"-o 1h":                         false,
		"-n 61m":                        true,
		"-n 3600":                       false,
		"-o 30m -n 2h -s joe@* -d y.*e": true,
		"-g 1k":                         true,
		"-g 2k":                         false,
		"-l 2049":                       true,
		"-l 2048":                       false,
		"-H":                            false,
	} {
		c := &call{Desk: Desk{Now: now}, command: commands["list"]}
		if err := c.parse(strings.Fields(args)); err != nil {
			t.Errorf("%s: %v", args, err)
		} else if got := c.choice.fits(m); got != want {
			t.Errorf("%s: %v", args, got)
		}
	}
	if m.Sender = ""; !(&choice{sender: new(string)}).fits(m) {
		t.Error("an empty sender")
	}
}

// TestUnreadable: a message that cannot be read is told of as such, is not changed, and
// can be removed. It may have become unreadable since it was found.
func TestUnreadable(t *testing.T) {
	b := newBench(t)
	b.put(1, "s@x", "Ta@y\x00", "", time.Hour)
	q, err := queue.Open(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := q.Message(1)
	if err != nil {
		t.Fatal(err)
	}
	queuetest.Put(t, b.dir, "local/1/1", strings.Repeat("T", queue.MaxRecord+1))
	ask := func(verb wire.Verb) (got wire.Result) {
		r := wire.Request{Verb: verb, Messages: []wire.Name{{Number: 1, Born: m.Born.Unix()}}}
		if err := (&offline{dir: b.dir, q: q}).ask(r, wire.Answers{Result: func(r wire.Result) { got = r }}); err != nil {
			t.Error(err)
		}
		return got
	}
	for _, verb := range []wire.Verb{wire.Hold, wire.Release, wire.Retry, wire.Bounce, wire.Requeue} {
		if got := ask(verb); got.Code != wire.Failed || got.Text == "" {
			t.Errorf("%s: %c %s", verb, got.Code, got.Text)
		}
	}
	if got := ask(wire.Delete); got.Code != wire.Done || len(queuetest.Files(t, b.dir)) != 0 {
		t.Errorf("delete: %c %s, left %v", got.Code, got.Text, queuetest.Files(t, b.dir))
	}
}

// TestOffline: each change without qmail-send, on messages in each state.
func TestOffline(t *testing.T) {
	b := newBench(t)
	b.put(1, "s@x", "Ta@y\x00", "Tb@y\x00", time.Hour)
	b.put(2, "s@x", "Da@y\x00", "", time.Hour)
	queuetest.Put(t, b.dir, "bounce/2", "note")
	queuetest.Put(t, b.dir, "todo/3", "u1\x00p2\x00Fs@x\x00Ta@y\x00")
	queuetest.Put(t, b.dir, "intd/3", "")
	queuetest.Put(t, b.dir, "mess/3/3", "")
	mode := func(name string) os.FileMode {
		st, err := os.Stat(filepath.Join(b.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return st.Mode().Perm()
	}
	for _, c := range []struct {
		args, out, notices string
		mode               os.FileMode
	}{
		{"hold 1", "hold: 1 done\n", "", 0o700},
		{"retry 1", "retry: 0 done, 1 not\n", "1: is held\n", 0o700},
		{"release -a", "release: 1 done\n", "", 0o600},
		{"release 1", "release: 0 done, 1 not\n", "1: is not held\n", 0o600},
		{"release -a", "release: 0 done\n", "", 0o600},
		{"bounce -y 1 1", "bounce: 1 done\n", "", 0o610},
		{"requeue 1", "requeue: 1 done\n", "", 0o601},
		{"release 1", "release: 1 done\n", "", 0o600},
		{"hold 2", "hold: 0 done, 1 not\n", "2: has no recipients left and ends when qmail-send runs\n", 0o600},
		{"hold 3 4", "hold: 0 done, 2 not\n", "4: no such message\n3: is not preprocessed yet; that takes qmail-send\n", 0o600},
		{"retry -a", "", "", 0o600},
	} {
		out, notices, err := b.run(strings.Fields(c.args)...)
		if out != c.out || notices != c.notices || (err == nil) != (c.notices == "") {
			t.Errorf("%s: %q, %q, %v", c.args, out, notices, err)
		}
		if got := mode("local/1/1"); got != c.mode || mode("remote/1/1") != got {
			t.Errorf("%s: mode %o", c.args, got)
		}
	}
	if st, err := os.Stat(b.dir + "/local/1/1"); err != nil || time.Since(st.ModTime()).Abs() > time.Hour {
		t.Errorf("not due: %v", st.ModTime())
	}
	if out, _, err := b.run("delete", "-y", "3", "-a"); out != "delete: 3 done\n" || err != nil || len(queuetest.Files(t, b.dir)) != 0 {
		t.Errorf("%s%v, left %v", out, err, queuetest.Files(t, b.dir))
	}
	if _, _, err := b.run("pause", "B.example", "a.example"); err != nil {
		t.Error(err)
	}
	if out, _, err := b.run("pause"); out != "a.example\nb.example\n" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	// While somebody has the lock, nothing is changed.
	q, _ := queue.Open(b.dir)
	lock, err := q.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	for _, args := range []string{"pause c.example", "hold -a", "repair"} {
		if _, _, err := b.run(strings.Fields(args)...); outcome.Of(err) != outcome.Deferral {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// FuzzMatches: a pattern is a regular expression in which * stands for any text.
func FuzzMatches(f *testing.F) {
	f.Add("*@far.example", "joe@FAR.example")
	f.Add("a*b*c", "abbc")
	f.Add("**", "")
	f.Add("a", "a*")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(text) || len(pattern) > 100 {
			return // regexp knows no others
		}
		like := strings.ReplaceAll(regexp.QuoteMeta(fold.Lower(pattern)), `\*`, `.*`)
		if got, want := matches(pattern, text), regexp.MustCompile(`(?s)\A`+like+`\z`).MatchString(fold.Lower(text)); got != want {
			t.Errorf("%v", got)
		}
	})
}

// FuzzAges: an age or a size is within its bounds, or refused in one printable line.
func FuzzAges(f *testing.F) {
	for _, text := range []string{"90s", "12h", "3d", "1w", "", "s", "5M", "100k", "4294967296", "9223372036854775807G"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		age, err := parseAge(text)
		size, err2 := parseSize(text)
		if err == nil && (age < 0 || age > maxAge) || err2 == nil && size <= 0 {
			t.Errorf("%v, %d", age, size)
		}
		for _, err := range []error{err, err2} {
			if err != nil && strings.ContainsAny(err.Error(), "\n\r\x00\x1b") {
				t.Errorf("%q", err)
			}
		}
	})
}
