package pop3d

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// makeMaildir makes a maildir with messages, such as {"new/a", "text"}, each ten
// seconds younger than the one before.
func makeMaildir(t testing.TB, files ...[2]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "Maildir")
	for _, sub := range []string{"", "tmp", "new", "cur"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for i, f := range files {
		put(t, dir, f[0], f[1], time.Now().Add(time.Duration(10*(i-len(files)))*time.Second))
	}
	return dir
}

func put(t testing.TB, dir, name, text string, when time.Time) {
	t.Helper()
	path := filepath.Join(dir, name)
	err := os.WriteFile(path, []byte(text), 0o600)
	if err == nil {
		err = os.Chtimes(path, when, when)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func listing(t testing.TB, dir string) []string {
	var list []string
	for _, sub := range []string{"cur", "new", "tmp"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			list = append(list, sub+"/"+e.Name())
		}
	}
	return list
}

// converse opens a maildir and holds a session over it.
func converse(t testing.TB, dir, in string) string {
	t.Helper()
	m, err := Open(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	return over(t, m, in)
}

func over(t testing.TB, m *Mailbox, in string) string {
	t.Helper()
	var out strings.Builder
	if err := Serve(m, strings.NewReader(in), &out, false); err != nil && err != io.EOF {
		t.Error(err)
	}
	greeted, found := strings.CutPrefix(out.String(), "+OK \r\n")
	if !found {
		t.Errorf("greeting in %q", out.String())
	}
	return greeted
}

const ok = "+OK \r\n"

// two messages have 10 and 20 octets.
var two = [][2]string{{"new/a", "Subject:1\n"}, {"cur/b:2,S", "Subject: 2\n\n1\n2\n3\n45\n"}}

func TestCommands(t *testing.T) {
	const (
		one    = "Subject:1\r\n\r\n.\r\n"
		second = "Subject: 2\r\n\r\n1\r\n2\r\n3\r\n45\r\n\r\n.\r\n"
		zero   = "-ERR messages are counted from 1\r\n"
		many   = "-ERR not that many messages\r\n"
		syntax = "-ERR syntax error\r\n"
		gone   = "-ERR already deleted\r\n"
	)
	both := []string{"cur/b:2,S", "new/a"}
	for _, c := range []struct {
		name, in, out string
		left          []string
	}{
		{"nothing", "", "", both},
		{"quit", "QUIT\nNOOP\n", ok, []string{"cur/a:2,", "cur/b:2,S"}},
		{"stat", "STAT\nSTAT x\n", "+OK 2 31\r\n+OK 2 31\r\n", both},
		{"list", "LIST\nLIST 2\nlist 1 2\n", ok + "1 10\r\n2 21\r\n.\r\n+OK 2 21\r\n+OK 1 10\r\n", both},
		{"uidl", "UIDL\nUIDL 2\n", ok + "1 a\r\n2 b\r\n.\r\n+OK 2 b\r\n", both},
		{"retr", "RETR 1\nRETR 02x\n", ok + one + ok + second, both},
		{"retr with a second number is top", "RETR 2 1\n", ok + "Subject: 2\r\n\r\n1\r\n\r\n.\r\n", both},
		{"top", "TOP 2 0\nTOP 2  2\nTOP 2 18446744073709551615\nTOP 2 99999999999999999999999\n",
			ok + "Subject: 2\r\n\r\n\r\n.\r\n" + ok + "Subject: 2\r\n\r\n1\r\n2\r\n\r\n.\r\n" + ok + second + ok + second, both},
		{"top without lines", "TOP 2\nTOP 2 x\nTOP 2x 1\n", ok + second + ok + second + ok + second, both},
		{"numbers", "RETR\nRETR x\nRETR -1\nRETR 0\nRETR 3\nRETR 18446744073709551617\nDELE\nDELE 0\nDELE 3\nLIST x\nUIDL 0\nTOP\nTOP 3 1\n",
			syntax + syntax + syntax + zero + many + many + syntax + zero + many + syntax + zero + syntax + many, both},
		{"dele", "DELE 2\nDELE 2\nRETR 2\nTOP 2 1\nLIST 2\nUIDL 2\nLIST\nUIDL\nSTAT\nLAST\nQUIT\n",
			ok + gone + gone + gone + gone + gone + ok + "1 10\r\n.\r\n" + ok + "1 a\r\n.\r\n" + "+OK 2 10\r\n+OK 2\r\n" + ok, []string{"cur/a:2,"}},
		{"dele and go away", "DELE 1\n", ok, both},
		{"rset", "DELE 2\nDELE 1\nLAST\nRSET\nLAST\nSTAT\nQUIT\n", ok + ok + "+OK 2\r\n" + ok + "+OK 0\r\n+OK 2 31\r\n" + ok, []string{"cur/a:2,", "cur/b:2,S"}},
		{"last", "LAST\nRETR 2\nLAST\n", "+OK 0\r\n" + ok + second + "+OK 0\r\n", both},
		{"noop and others", "NOOP\nnoop x\nCAPA\nUSER joe\n\n", ok + ok + strings.Repeat("-ERR unimplemented\r\n", 3), both},
	} {
		dir := makeMaildir(t, two...)
		if out := converse(t, dir, c.in); out != c.out {
			t.Errorf("%s: %q, want %q", c.name, out, c.out)
		}
		if left := listing(t, dir); !slices.Equal(left, c.left) {
			t.Errorf("%s: left %q, want %q", c.name, left, c.left)
		}
	}
}

func TestCapabilities(t *testing.T) {
	m, err := Open(makeMaildir(t), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var out strings.Builder
	if err := Serve(m, strings.NewReader("CAPA\r\nQUIT\r\n"), &out, true); err != nil {
		t.Error(err)
	}
	if !strings.HasSuffix(out.String(), "\r\nIMPLEMENTATION goqmail\r\n.\r\n"+ok) {
		t.Errorf("%q", out.String())
	}
}

func TestRefuse(t *testing.T) {
	empty := t.TempDir()
	for dir, want := range map[string]string{
		"":                             "-ERR this user has no $HOME/Maildir\r\n",
		empty + "/none":                "-ERR this user has no $HOME/Maildir\r\n",
		empty:                          "-ERR unable to scan $HOME/Maildir\r\n",
		os.DevNull:                     "-ERR this user has no $HOME/Maildir\r\n",
		strings.Repeat("x", 5000):      "-ERR this user has no $HOME/Maildir\r\n",
		"a\x00b":                       "-ERR this user has no $HOME/Maildir\r\n",
		makeMaildir(t) + "/cur/../tmp": "-ERR unable to scan $HOME/Maildir\r\n",
	} {
		m, err := Open(dir, time.Now())
		if err == nil {
			m.Close()
			t.Errorf("%.100q: opened", dir)
			continue
		}
		var out strings.Builder
		Refuse(&out, err)
		if out.String() != want {
			t.Errorf("%.100q: %q, want %q (%v)", dir, out.String(), want, err)
		}
	}
}

// TestGone: a message that another reader takes away, or that another takes the
// name of, is neither sent nor removed.
func TestGone(t *testing.T) {
	for name, text := range map[string]string{"gone": "", "replaced": "another\n"} {
		dir := makeMaildir(t, two...)
		m, err := Open(dir, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "new/a")
		os.Remove(path)
		read := "-ERR unable to open that message\r\n"
		if text != "" {
			put(t, dir, "new/a", text, time.Now())
			read = ok + "another\r\n\r\n.\r\n"
		}
		if got, want := over(t, m, "RETR 1\nLIST 1\nDELE 1\nQUIT\n"), read+"+OK 1 10\r\n"+ok+"-ERR unable to unlink all deleted messages\r\n"+ok; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if left, _ := os.ReadFile(path); string(left) != text {
			t.Errorf("%s: left %q", name, left)
		}
		m.Close()
	}
}

// TestOpen: remnants go, hidden files and links do not count.
func TestOpen(t *testing.T) {
	dir := makeMaildir(t, two...)
	put(t, dir, "tmp/old", "x\n", time.Now().Add(-48*time.Hour))
	put(t, dir, "new/.hidden", "x\n", time.Now().Add(-48*time.Hour))
	if err := os.Symlink("a", dir+"/new/link"); err != nil {
		t.Fatal(err)
	}
	if got, want := converse(t, dir, "UIDL\n"), ok+"1 a\r\n2 b\r\n.\r\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if _, err := os.Lstat(dir + "/tmp/old"); !os.IsNotExist(err) {
		t.Error(err)
	}
}

// TestNothingIsReplaced: a move from new to cur leaves what is there alone.
func TestNothingIsReplaced(t *testing.T) {
	dir := makeMaildir(t, [2]string{"cur/a:2,", "old\n"}, [2]string{"new/a", "new\n"})
	if got, want := converse(t, dir, "LIST\nQUIT\n"), ok+"1 4\r\n2 4\r\n.\r\n"+ok; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for name, want := range map[string]string{"cur/a:2,": "old\n", "new/a": "new\n"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

func TestLongNames(t *testing.T) {
	name := strings.Repeat("n", 254)
	dir := makeMaildir(t, [2]string{"new/" + name, "x\n"})
	if got, want := converse(t, dir, "UIDL 1\nQUIT\n"), "+OK 1 "+name+"\r\n"+ok; got != want {
		t.Errorf("%q", got)
	}
	if got := listing(t, dir); !slices.Equal(got, []string{"new/" + name}) {
		t.Errorf("%q", got)
	}
}

// TestAMessageThatCannotBeRead: the session ends rather than go on behind a part
// of a message.
func TestAMessageThatCannotBeRead(t *testing.T) {
	s := sender{out: io.Discard}
	err := s.message(io.MultiReader(strings.NewReader("Subject: x\n"), broken{}), nil)
	if !errors.Is(err, ErrRead) || !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, syscall.EIO }

func TestTheClientIsGone(t *testing.T) {
	dir := makeMaildir(t, [2]string{"new/a", strings.Repeat("x", 10*sendSize)})
	m, err := Open(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := Serve(m, strings.NewReader("RETR 1\nDELE 1\nQUIT\n"), gone{}, false); !errors.Is(err, syscall.EPIPE) {
		t.Error(err)
	}
	if got := listing(t, dir); !slices.Equal(got, []string{"new/a"}) {
		t.Errorf("%q", got)
	}
}

type gone struct{}

func (gone) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// FuzzCommands: commands never end a session with an error, and change nothing
// without QUIT.
func FuzzCommands(f *testing.F) {
	for _, s := range []string{"STAT\nLIST\nUIDL\nRETR 1\nTOP 2 1\n", "DELE 1\nDELE 2\nRSET\nLAST\n", "TOP 1 99999999999999999999\n"} {
		f.Add(s)
	}
	dir := makeMaildir(f, two...)
	f.Fuzz(func(t *testing.T, in string) {
		m, err := Open(dir, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		err = Serve(m, strings.NewReader(in), io.Discard, true)
		if err == nil {
			makeAgain(t, dir)
		} else if err != io.EOF {
			t.Error(err)
		} else if got := listing(t, dir); !slices.Equal(got, []string{"cur/b:2,S", "new/a"}) {
			t.Errorf("left %q", got)
		}
	})
}

// makeAgain brings the two messages back.
func makeAgain(t testing.TB, dir string) {
	for _, name := range listing(t, dir) {
		os.Remove(filepath.Join(dir, name))
	}
	for i, f := range two {
		put(t, dir, f[0], f[1], time.Now().Add(time.Duration(10*(i-len(two)))*time.Second))
	}
}

// BenchmarkOpen lists a maildir of 20,000 messages.
func BenchmarkOpen(b *testing.B) {
	dir := makeMaildir(b)
	when := time.Now().Add(-time.Hour)
	for i := range 20_000 {
		put(b, dir, fmt.Sprintf("new/%d.M%06dP%d.host.example.org", when.Unix(), i, i), "x\n", when)
	}
	b.ReportAllocs()
	for b.Loop() {
		m, err := Open(dir, time.Now())
		if err != nil || len(m.messages) != 20_000 {
			b.Fatal(err)
		}
		Serve(m, strings.NewReader("STAT\nLIST\nUIDL\n"), io.Discard, false)
		m.Close()
	}
}

// BenchmarkRetrieve sends messages of 1 KB.
func BenchmarkRetrieve(b *testing.B) {
	dir := makeMaildir(b, [2]string{"new/a", strings.Repeat("The quick brown fox jumps over the lazy dog, says qmail.\n", 18)})
	m, err := Open(dir, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	in := strings.NewReader(strings.Repeat("RETR 1\n", b.N))
	b.ReportAllocs()
	b.ResetTimer()
	Serve(m, in, io.Discard, false)
}
