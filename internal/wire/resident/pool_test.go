package resident

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/internal/host/child"
)

// TestMain lets the test binary stand in for a resident program: the environment
// variable names what kind of one.
func TestMain(m *testing.M) {
	if !Asked(os.Args) {
		os.Exit(m.Run())
	}
	if hostile, ok := hostiles[os.Getenv("CHILD")]; ok {
		hostile.child()
		os.Exit(0)
	}
	if Serve(50, work) != nil {
		os.Exit(111)
	}
}

// work is what the well-behaved child does.
func work(r *Request) []string {
	switch r.Fields[0] {
	case "echo":
		return r.Fields[1:]
	case "pid":
		return []string{strconv.Itoa(os.Getpid())}
	case "copy": // from one descriptor to the other
		text, _ := io.ReadAll(r.Files[0])
		r.Files[1].Write(text)
		return nil
	case "panic":
		panic("bug")
	case "exit":
		os.Exit(3)
	case "large":
		return []string{strings.Repeat("x", MaxRecord)}
	case "descriptors":
		files, _ := os.ReadDir("/proc/self/fd")
		return []string{strconv.Itoa(len(files))}
	case "wait": // until somebody writes
		io.ReadFull(r.Files[0], make([]byte, 1))
		return nil
	}
	return nil
}

// testPool keeps the test binary. All its processes must be gone in the end.
func testPool(t testing.TB, c Config) *Pool {
	t.Helper()
	if c.Path == "" {
		c.Path, _ = os.Executable()
	}
	p := NewPool(c)
	t.Cleanup(func() {
		p.Close()
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
			t.Errorf("left: process %d, %v", pid, err)
		}
		if p.processes != 0 || len(p.children) != 0 {
			t.Errorf("left: %d processes, %d children", p.processes, len(p.children))
		}
	})
	return p
}

func kind(name string) func() child.Command {
	return func() child.Command {
		return child.Command{Args: []string{"child"}, Env: []string{"CHILD=" + name, "GOTRACEBACK=none"}}
	}
}

func fields(f ...string) Request { return Request{Fields: f} }

func pid(t *testing.T, p *Pool, key string) string {
	t.Helper()
	r, err := p.Call(key, kind(""), fields("pid"))
	if err != nil {
		t.Fatal(err)
	}
	return r[0]
}

func TestCall(t *testing.T) {
	p := testPool(t, Config{})
	for _, c := range [][]string{nil, {"a"}, {"", "b:,\x00\xff", ""}, {strings.Repeat("x", 60_000)}, make([]string, MaxFields-3)} {
		got, err := p.Call("", kind(""), fields(append([]string{"echo"}, c...)...))
		if err != nil || !slices.Equal(got, c) {
			t.Errorf("%d fields: got %d fields, %v", len(c), len(got), err)
		}
	}
	for name, r := range map[string]Request{
		"long":             fields("echo", strings.Repeat("x", MaxRecord)),
		"many fields":      fields(make([]string, MaxFields+1)...),
		"many descriptors": {Files: make([]*os.File, MaxFiles+1)},
		"closed":           {Files: []*os.File{closed()}},
	} {
		if _, err := p.Call("", kind(""), r); !errors.Is(err, ErrClassic) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if first, second := pid(t, p, ""), pid(t, p, ""); first != second {
		t.Error("one key, two processes")
	}
	if pid(t, p, "a") == pid(t, p, "b") {
		t.Error("two keys, one process")
	}
}

func closed() *os.File {
	f, _ := os.Open(os.DevNull)
	f.Close()
	return f
}

// TestManyAtOnce: requests wait for each other only where they must, and pass
// descriptors; nothing stays open.
func TestManyAtOnce(t *testing.T) {
	p := testPool(t, Config{Requests: 70})
	before := openFiles(t)
	var all sync.WaitGroup
	for i := range 500 {
		all.Go(func() {
			in, out := pipe(t), pipe(t)
			text := fmt.Sprint("text ", i)
			in[1].WriteString(text)
			in[1].Close()
			if _, err := p.Call("", kind(""), Request{[]string{"copy"}, []*os.File{in[0], out[1]}}); err != nil {
				t.Error(err)
			}
			out[1].Close()
			if got, _ := io.ReadAll(out[0]); string(got) != text {
				t.Errorf("got %q, want %q", got, text)
			}
			in[0].Close()
			out[0].Close()
		})
	}
	all.Wait()
	// The runtime has a few more at times. A leak would be of hundreds.
	got, err := p.Call("", kind(""), fields("descriptors"))
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := strconv.Atoi(got[0]); n < 1 || n > 30 {
		t.Errorf("the child has %s descriptors", got)
	}
	p.Close()
	if after := openFiles(t); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func pipe(t *testing.T) [2]*os.File {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return [2]*os.File{r, w}
}

// openFiles counts open descriptors, but for those of the runtime.
func openFiles(t *testing.T) (n int) {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if to, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && !strings.HasPrefix(to, "anon_inode:") {
			n++
		}
	}
	return n
}

// TestReplaced: the file that is there now is the one that is asked.
func TestReplaced(t *testing.T) {
	self, _ := os.Executable()
	program := filepath.Join(t.TempDir(), "program")
	p := testPool(t, Config{Path: program})
	if _, err := p.Call("", kind(""), fields("pid")); !errors.Is(err, ErrClassic) {
		t.Errorf("no program: %v", err)
	}
	var pids []string
	for range 2 {
		binary, err := os.ReadFile(self)
		if err != nil {
			t.Fatal(err)
		}
		write(t, program, string(binary))
		pids = append(pids, pid(t, p, ""))
	}
	if pids[0] == pids[1] {
		t.Error("the program was replaced, the process was not")
	}
	write(t, program, "#!/bin/sh\nexit 0\n")
	if _, err := p.Call("", kind(""), fields("pid")); !errors.Is(err, ErrClassic) {
		t.Errorf("replaced by a script: %v", err)
	}
	os.Remove(program)
	os.Link(self, program)
	if got := pid(t, p, ""); slices.Contains(pids, got) {
		t.Error("replaced again")
	}
}

// write replaces a file as an installer does.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// TestForeign: what is not the file that was started is tried once, sees no
// request, and is not kept.
func TestForeign(t *testing.T) {
	self, _ := os.Executable()
	for name, script := range map[string]string{
		"executes the real program": "exec " + self + ` "$@"`,
		"runs the real program":     self + ` "$@"`,
		"ends":                      "exit 0",
		"fails":                     "exit 100",
		"reads":                     "cat",
		"closes and lingers":        "exec 3>&- 4>&-; cat; sleep 0.1",
	} {
		t.Run(name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "program")
			write(t, program, "#!/bin/sh\necho \"$@\" >>"+program+".log\n"+script+"\n")
			p := testPool(t, Config{Path: program})
			for _, key := range []string{"a", "b", "a"} {
				if _, err := p.Call(key, kind(""), fields("echo", "secret")); !errors.Is(err, ErrClassic) {
					t.Error(err)
				}
			}
			if log, _ := os.ReadFile(program + ".log"); string(log) != Argument+"\n" {
				t.Errorf("the program was called as follows:\n%s", log)
			}
		})
	}
}

// TestOurs: where the parent decides beforehand, there is no trial.
func TestOurs(t *testing.T) {
	verdict := false
	p := testPool(t, Config{Ours: func(f *os.File) bool { return verdict }})
	if _, err := p.Call("", kind(""), fields("pid")); !errors.Is(err, ErrClassic) {
		t.Error(err)
	}
	verdict = true
	if _, err := p.Call("", kind(""), fields("pid")); !errors.Is(err, ErrClassic) {
		t.Errorf("the verdict on one version was looked up twice: %v", err)
	}
	pid(t, testPool(t, Config{Ours: func(f *os.File) bool { return true }}), "")
}

// TestPanic: it ends the request, and the process gets no other.
func TestPanic(t *testing.T) {
	p := testPool(t, Config{})
	first := pid(t, p, "")
	wait := pipe(t)
	other := make(chan error)
	go func() {
		_, err := p.Call("", kind(""), Request{[]string{"wait"}, []*os.File{wait[0]}})
		other <- err
	}()
	for p.inFlight("") == 0 {
		time.Sleep(time.Millisecond)
	}
	if _, err := p.Call("", kind(""), fields("panic")); !errors.Is(err, ErrCrashed) {
		t.Error(err)
	}
	if pid(t, p, "") == first {
		t.Error("the process goes on")
	}
	wait[1].Write([]byte("x"))
	if err := <-other; err != nil {
		t.Errorf("another request: %v", err)
	}
	if _, err := p.Call("", kind(""), fields("large")); !errors.Is(err, ErrCrashed) {
		t.Errorf("a reply that is too large: %v", err)
	}
}

func (p *Pool) inFlight(key string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.children[key]; c != nil {
		return len(c.calls)
	}
	return 0
}

// TestDeath: what was in flight is lost; the key is left alone for a while, others
// are not.
func TestDeath(t *testing.T) {
	p := testPool(t, Config{})
	wait := pipe(t)
	lost := make(chan error)
	for range 5 {
		go func() {
			_, err := p.Call("", kind(""), Request{[]string{"wait"}, []*os.File{wait[0]}})
			lost <- err
		}()
	}
	for p.inFlight("") < 5 {
		time.Sleep(time.Millisecond)
	}
	if _, err := p.Call("", kind(""), fields("exit")); !errors.Is(err, ErrLost) {
		t.Error(err)
	}
	for range 5 {
		if err := <-lost; !errors.Is(err, ErrLost) {
			t.Error(err)
		}
	}
	if _, err := p.Call("", kind(""), fields("pid")); !errors.Is(err, ErrClassic) {
		t.Errorf("so soon: %v", err)
	}
	pid(t, p, "another")
}

// TestIdle: a child that has nothing to do leaves, and so does the one that was
// idle for longest when there are too many.
func TestIdle(t *testing.T) {
	p := testPool(t, Config{Idle: time.Millisecond})
	pid(t, p, "")
	for p.count() > 0 {
		time.Sleep(time.Millisecond)
	}
	p = testPool(t, Config{Children: 2})
	pid(t, p, "a")
	pid(t, p, "b")
	for {
		_, err := p.Call("c", kind(""), fields("pid"))
		if err == nil {
			break
		}
		if !errors.Is(err, ErrClassic) {
			t.Fatal(err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.children["a"] != nil || p.children["b"] == nil || p.processes != 2 {
		t.Errorf("%d processes; a %v, b %v", p.processes, p.children["a"], p.children["b"])
	}
}

func (p *Pool) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.processes
}
