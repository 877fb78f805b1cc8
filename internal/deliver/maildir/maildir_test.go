package maildir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sys/unix"
)

// when is what the clock says.
var when = time.Unix(1764000000, 123456789)

func names() *Names {
	return &Names{Host: "host", PID: 4711, Now: func() time.Time { return when }}
}

// newMaildir makes an empty maildir without some of its directories.
func newMaildir(t *testing.T, without ...string) string {
	t.Helper()
	dir := t.TempDir() + "/Maildir"
	for _, sub := range []string{"", "/tmp", "/new", "/cur"} {
		if err := os.Mkdir(dir+sub, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, sub := range without {
		os.Remove(dir + "/" + sub)
	}
	return dir
}

// list returns the names in a directory of a maildir.
func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestDeliver(t *testing.T) {
	for _, text := range []string{"", "a: b\n\nc", "\x00\xff\r\nFrom x\n", strings.Repeat("0123456789abcde\n", 100000)} {
		dir := newMaildir(t)
		if err := Deliver(dir+"/", names(), strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		found := list(t, dir+"/new")
		if len(found) != 1 || len(list(t, dir+"/tmp")) != 0 || len(list(t, dir+"/cur")) != 0 {
			t.Fatalf("new %q tmp %q cur %q", found, list(t, dir+"/tmp"), list(t, dir+"/cur"))
		}
		if want := "1764000000.M123456P4711Q1.host"; found[0] != want {
			t.Errorf("name %s, want %s", found[0], want)
		}
		file := dir + "/new/" + found[0]
		if b, _ := os.ReadFile(file); string(b) != text {
			t.Errorf("%d bytes, want %d", len(b), len(text))
		}
		var st unix.Stat_t
		if err := unix.Stat(file, &st); err != nil || st.Mode&0o777 != 0o600 || st.Nlink != 1 {
			t.Errorf("mode %o, %d links, %v", st.Mode, st.Nlink, err)
		}
	}
}

// TestNames: every name is another one, also when the clock stands still, and none
// has a character that is special in a maildir.
func TestNames(t *testing.T) {
	for _, c := range []struct{ host, want string }{
		{"mx.example.org", "1764000000.M123456P4711Q1.mx.example.org"},
		{"a/b:c", `1764000000.M123456P4711Q1.a\057b\072c`},
		{"", "1764000000.M123456P4711Q1."},
	} {
		n := names()
		n.Host = c.host
		if got := n.next(when); got != c.want {
			t.Errorf("%q: %q, want %q", c.host, got, c.want)
		}
		if first, second := n.next(when), n.next(when); first == second {
			t.Errorf("%s twice", first)
		}
	}
}

func TestDeliverAtOnce(t *testing.T) {
	dir, n := newMaildir(t), names()
	const deliveries = 50
	var all sync.WaitGroup
	for i := range deliveries {
		all.Go(func() {
			if err := Deliver(dir, n, strings.NewReader(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	texts := map[string]bool{}
	for _, name := range list(t, dir+"/new") {
		b, _ := os.ReadFile(dir + "/new/" + name)
		texts[string(b)] = true
	}
	if len(texts) != deliveries {
		t.Errorf("%d messages, want %d", len(texts), deliveries)
	}
}

// TestNameTaken: a name that somebody else has is not used, in tmp or in new.
func TestNameTaken(t *testing.T) {
	const first, second = "1764000000.M123456P4711Q1.host", "1764000000.M123456P4711Q2.host"
	t.Run("in tmp", func(t *testing.T) {
		dir := newMaildir(t)
		os.WriteFile(dir+"/tmp/"+first, []byte("other"), 0o600)
		if err := Deliver(dir, names(), strings.NewReader("text")); err != nil {
			t.Fatal(err)
		}
		if b, _ := os.ReadFile(dir + "/tmp/" + first); string(b) != "other" {
			t.Errorf("the other file is now %q", b)
		}
		if b, _ := os.ReadFile(dir + "/new/" + second); string(b) != "text" {
			t.Errorf("delivered %q", b)
		}
	})
	t.Run("in new", func(t *testing.T) {
		dir := newMaildir(t)
		os.WriteFile(dir+"/new/"+first, []byte("other"), 0o600)
		if err := Deliver(dir, names(), strings.NewReader("text")); err == nil {
			t.Error("delivered")
		}
		if b, _ := os.ReadFile(dir + "/new/" + first); string(b) != "other" {
			t.Errorf("the other message is now %q", b)
		}
	})
	t.Run("always", func(t *testing.T) {
		dir := newMaildir(t)
		for i := range 10 {
			os.WriteFile(fmt.Sprintf("%s/tmp/1764000000.M123456P4711Q%d.host", dir, i), nil, 0o600)
		}
		if err := Deliver(dir, names(), strings.NewReader("text")); !errors.Is(err, fs.ErrExist) {
			t.Error(err)
		}
	})
}

// TestTrouble: whatever happens, nothing is left in tmp and nothing is seen in new.
func TestTrouble(t *testing.T) {
	broken := errors.New("broken")
	text := strings.NewReader(strings.Repeat("x", 200000))
	for _, c := range []struct {
		name    string
		dir     func() string
		message io.Reader
		want    error // nil for any
	}{
		{"no maildir", func() string { return t.TempDir() + "/none" }, text, ErrEnter},
		{"maildir is a file", func() string {
			file := t.TempDir() + "/file"
			os.WriteFile(file, nil, 0o600)
			return file
		}, text, ErrEnter},
		{"maildir is a link to itself", func() string {
			link := t.TempDir() + "/link"
			os.Symlink(link, link)
			return link
		}, text, ErrEnter},
		{"no tmp", func() string { return newMaildir(t, "tmp") }, text, fs.ErrNotExist},
		{"no new", func() string { return newMaildir(t, "new") }, text, fs.ErrNotExist},
		{"new is a file", func() string {
			dir := newMaildir(t, "new")
			os.WriteFile(dir+"/new", nil, 0o600)
			return dir
		}, text, unix.ENOTDIR},
		{"reading fails at once", func() string { return newMaildir(t) }, iotest.ErrReader(broken), broken},
		{"reading fails late", func() string { return newMaildir(t) }, io.MultiReader(text, iotest.ErrReader(broken)), broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			text.Seek(0, io.SeekStart)
			dir := c.dir()
			err := Deliver(dir, names(), c.message)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			for _, sub := range []string{"/tmp", "/new"} {
				if info, err := os.Stat(dir + sub); err != nil || !info.IsDir() {
					continue
				}
				if left := list(t, dir+sub); len(left) != 0 {
					t.Errorf("left in %s: %q", sub, left)
				}
			}
		})
	}
}

// TestFileTooBig stands in for a full disk: writing fails in the middle.
func TestFileTooBig(t *testing.T) {
	limitFileSize(t, 100000)
	dir := newMaildir(t)
	err := Deliver(dir, names(), strings.NewReader(strings.Repeat("x", 200000)))
	if !errors.Is(err, unix.EFBIG) {
		t.Error(err)
	}
	if left := append(list(t, dir+"/tmp"), list(t, dir+"/new")...); len(left) != 0 {
		t.Errorf("left %q", left)
	}
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

// TestTimeout: a delivery that was stopped for a day does not go on, for its file
// in tmp may be removed any moment.
func TestTimeout(t *testing.T) {
	for _, c := range []struct {
		late time.Duration
		want error
	}{
		{Limit - time.Second, nil},
		{Limit, ErrTimeout},
		{-time.Hour, nil}, // the clock was set back
	} {
		dir, n := newMaildir(t), names()
		now := when
		n.Now = func() time.Time { return now }
		slow := iotest.DataErrReader(strings.NewReader("text"))
		err := Deliver(dir, n, readerFunc(func(p []byte) (int, error) {
			now = when.Add(c.late)
			return slow.Read(p)
		}))
		if !errors.Is(err, c.want) {
			t.Errorf("after %v: %v", c.late, err)
		}
		if got, want := len(list(t, dir+"/new")), map[bool]int{true: 1}[c.want == nil]; got != want || len(list(t, dir+"/tmp")) != 0 {
			t.Errorf("after %v: %d in new, %q in tmp", c.late, got, list(t, dir+"/tmp"))
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestUnreadableNew: new need not be readable for whoever delivers.
func TestUnreadableNew(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root can read everything")
	}
	dir := newMaildir(t)
	os.Chmod(dir+"/new", 0o300)
	if err := Deliver(dir, names(), strings.NewReader("text")); err != nil {
		t.Error(err)
	}
	os.Chmod(dir+"/new", 0o700)
	if found := list(t, dir+"/new"); len(found) != 1 || !regexp.MustCompile(`^1764000000\.`).MatchString(found[0]) {
		t.Errorf("%q", found)
	}
}
