package child

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// program makes a file with a mode.
func program(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	os.Chmod(path, mode)
}

func TestFind(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"a", "b", "a/dir"} {
		os.Mkdir(dir, 0o700)
	}
	program(t, "a/plain", "", 0o600)
	program(t, "b/plain", "", 0o700)
	program(t, "a/closed", "", 0o600)
	program(t, "a/both", "", 0o700)
	program(t, "b/both", "", 0o700)
	program(t, "here", "", 0o700)
	for _, c := range []struct {
		path, name, want string
		err              error
	}{
		{"a:b", "both", "a/both", nil},
		{"b:a", "both", "b/both", nil},
		{"nowhere:a", "both", "a/both", nil},
		{"here:a", "both", "a/both", nil}, // a file in place of a directory
		{"a:b", "plain", "b/plain", nil},
		{"a:b", "closed", "", unix.EACCES},
		{"a:b", "dir", "", unix.EACCES},
		{"a:b", "none", "", unix.ENOENT},
		{"a:b", "", "", unix.ENOENT},
		{"a:b", "here", "", unix.ENOENT},
		{"a:", "here", "here", nil},
		{"", "here", "here", nil},
		{"a:b", "./here", "./here", nil},
		{"a:b", "x/none", "x/none", nil}, // for Start to find out
		{"a", strings.Repeat("x", 300), "", unix.ENOENT},
	} {
		t.Setenv("PATH", c.path)
		if got, err := Find(c.name); got != c.want || err != c.err {
			t.Errorf("%q in %q: %q %v, want %q %v", c.name, c.path, got, err, c.want, c.err)
		}
	}
	os.Unsetenv("PATH")
	if got, err := Find("sh"); got != "/bin/sh" || err != nil {
		t.Errorf("without PATH: %q %v", got, err)
	}
}

// run runs a program and returns what it prints, or why it cannot be run.
func run(args ...string) (string, error) {
	theirs, ours, err := PipeFrom()
	if err != nil {
		return "", err
	}
	defer ours.Close()
	p, err := StartFound(Command{Path: args[0], Args: args, Files: []*os.File{nil, theirs}})
	theirs.Close()
	if err != nil {
		return "", err
	}
	output, _ := io.ReadAll(ours)
	_, err = p.Wait()
	return string(output), err
}

func TestStartFound(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	program(t, dir+"/bare", "echo $1\n", 0o700)
	program(t, dir+"/lost", "#!/nonexistent\n", 0o700)
	for _, c := range []struct {
		args    []string
		output  string
		missing bool
	}{
		{[]string{"echo", "a"}, "a\n", false},
		{[]string{"bare", "a"}, "a\n", false},
		{[]string{dir + "/bare", "a"}, "a\n", false},
		{[]string{"lost"}, "", true},
		{[]string{"/nonexistent"}, "", true},
		{[]string{"none-by-that-name"}, "", true},
		{[]string{dir}, "", true},
		{[]string{"sh", "-c", "echo $0", strings.Repeat("x", 200000)}, "", true}, // more than an argument may have
	} {
		output, err := run(c.args...)
		if output != c.output || Missing(err) != c.missing || (err != nil) != c.missing {
			t.Errorf("%.40q: %q %v", c.args, output, err)
		}
	}
}

func TestMissing(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EAGAIN, unix.ENOMEM, unix.EMFILE, unix.ENFILE, unix.EIO, unix.ETXTBSY, unix.ESTALE, unix.ETIMEDOUT, unix.EPROTO} {
		if Missing(runError("x", errno)) {
			t.Errorf("%v: missing", errno)
		}
	}
	if Missing(nil) || Missing(errors.New("unknown")) {
		t.Error("missing without a reason")
	}
}
