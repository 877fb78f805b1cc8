package confine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMain confines the test binary where the environment says to what, and prints what
// it still can.
func TestMain(m *testing.M) {
	dir := os.Getenv("CONFINE")
	if dir == "" {
		os.Exit(m.Run())
	}
	err := self([]Rule{{dir + "/read", Read}, {dir + "/file", Update}, {dir + "/remove", Remove}, {dir + "/change", Change}, {dir + "/none", Read}}, false)
	fmt.Println(err)
	for name, able := range abilities(dir) {
		done := make(chan error)
		go func() { done <- able() }() // in any thread
		if err := <-done; err == nil {
			fmt.Println(name)
		}
	}
	os.Exit(0)
}

func abilities(dir string) map[string]func() error {
	open := func(file string, flags int) func() error {
		return func() error {
			f, err := os.OpenFile(dir+"/"+file, flags, 0o600)
			if err == nil {
				f.Close()
			}
			return err
		}
	}
	return map[string]func() error{
		"read in read":       open("read/a", os.O_RDONLY),
		"read in change":     open("change/a", os.O_RDONLY),
		"read in remove":     open("remove/a", os.O_RDONLY),
		"read elsewhere":     open("other/a", os.O_RDONLY),
		"read above":         open("", os.O_RDONLY),
		"write in read":      open("read/a", os.O_WRONLY),
		"write in change":    open("change/a", os.O_WRONLY),
		"write in remove":    open("remove/a", os.O_WRONLY),
		"write elsewhere":    open("other/a", os.O_WRONLY),
		"write file":         open("file", os.O_RDWR),
		"truncate in read":   func() error { return os.Truncate(dir+"/read/a", 0) },
		"truncate in change": func() error { return os.Truncate(dir+"/change/a", 1) },
		"create in read":     open("read/b", os.O_WRONLY|os.O_CREATE),
		"create in change":   open("change/b", os.O_WRONLY|os.O_CREATE),
		"create in remove":   open("remove/b", os.O_WRONLY|os.O_CREATE),
		"remove in read":     func() error { return os.Remove(dir + "/read/c") },
		"remove in remove":   func() error { return os.Remove(dir + "/remove/c") },
		"remove in change":   func() error { return os.Remove(dir + "/change/c") },
		"link in change":     func() error { return os.Link(dir+"/change/a", dir+"/change/sub/d") },
		"move in change":     func() error { return os.Rename(dir+"/change/e", dir+"/change/sub/e") },
		"move out":           func() error { return os.Rename(dir+"/change/f", dir+"/other/f") },
		"mkdir in change":    func() error { return os.Mkdir(dir+"/change/g", 0o700) },
		"symlink in change":  func() error { return os.Symlink("x", dir+"/change/h") },
		"run":                func() error { return exec.Command("/bin/true").Run() },
		"signal":             func() error { return syscall.Kill(os.Getppid(), 0) },
		"signal itself":      func() error { return syscall.Kill(os.Getpid(), 0) },
	}
}

func TestSelf(t *testing.T) {
	if Version() < Enough {
		t.Skip("the kernel has no Landlock")
	}
	dir := t.TempDir()
	for _, d := range []string{"read", "remove", "change", "other"} {
		os.MkdirAll(filepath.Join(dir, d, "sub"), 0o700)
		for _, f := range []string{"a", "c", "e", "f"} {
			os.WriteFile(filepath.Join(dir, d, f), []byte("x"), 0o600)
		}
	}
	os.WriteFile(filepath.Join(dir, "file"), nil, 0o600)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{"CONFINE=" + dir}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if strings.HasPrefix(string(out), ErrUnsupported.Error()) {
		t.Skip("built with cgo")
	}
	want := map[string]bool{"<nil>": true}
	for _, w := range []string{"read in read", "read in change", "write in change", "write file", "truncate in change", "create in change",
		"remove in remove", "remove in change", "link in change", "move in change", "signal itself"} {
		want[w] = true
	}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case Version() < 3 && line == "truncate in read":
		case line == "signal" && ask(unix.LANDLOCK_CREATE_RULESET_ERRATA)&2 == 0:
		case !want[line]:
			t.Errorf("able to %s", line)
		}
		delete(want, line)
	}
	for w := range want {
		t.Errorf("not able to %s", w)
	}
}

// TestUnable: what cannot be allowed is an error.
func TestUnable(t *testing.T) {
	if Version() < Enough {
		t.Skip("the kernel has no Landlock")
	}
	loop := filepath.Join(t.TempDir(), "loop")
	os.Symlink(loop, loop)
	if err := Self(Rule{loop, Read}); !errors.Is(err, unix.ELOOP) {
		t.Error(err)
	}
}

func TestSettings(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	os.WriteFile(filepath.Join(elsewhere, "me"), nil, 0o600)
	os.Symlink(filepath.Join(elsewhere, "me"), filepath.Join(dir, "me"))
	os.Symlink("nothing", filepath.Join(dir, "locals"))
	rules := Settings(dir)
	if last := rules[len(rules)-1]; rules[0] != (Rule{dir, Read}) || len(rules) != 5 || last != (Rule{elsewhere, Read}) {
		t.Errorf("%v", rules)
	}
}
