package maildir

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/mail/outcome"

	"golang.org/x/sys/unix"
)

func TestMake(t *testing.T) {
	old := unix.Umask(0o002)
	defer unix.Umask(old)
	t.Chdir(t.TempDir())
	os.Mkdir("box", 0o700)
	for _, dir := range []string{"Maildir", "./a", "box/b", "box/c/", t.TempDir() + "/d", "with space"} {
		if err := Make(dir); err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		for _, d := range []string{dir, dir + "/tmp", dir + "/new", dir + "/cur"} {
			if info, err := os.Stat(d); err != nil || info.Mode() != fs.ModeDir|0o700 {
				t.Errorf("%s: %v %v", d, info, err)
			}
		}
		if files, _ := filepath.Glob(dir + "/*"); len(files) != 3 {
			t.Errorf("%s: %v", dir, files)
		}
	}
}

func TestMakeErrors(t *testing.T) {
	t.Chdir(t.TempDir())
	os.Mkdir("there", 0o700)
	os.WriteFile("file", nil, 0o600)
	long := strings.Repeat("a", 300)
	for _, c := range []struct{ dir, want string }{
		{"there", "unable to mkdir there: file already exists"},
		{"file", "unable to mkdir file: file already exists"},
		{"none/Maildir", "unable to mkdir none/Maildir: file does not exist"},
		{"file/Maildir", "unable to mkdir file/Maildir: not a directory"},
		{long, "unable to mkdir " + long + ": file name too long"},
		{"", "unable to mkdir : file does not exist"},
	} {
		if err := Make(c.dir); fmt.Sprint(err) != c.want || outcome.Of(err) != outcome.Deferral {
			t.Errorf("%q: %v", c.dir, err)
		}
	}
}
