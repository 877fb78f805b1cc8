package dotqmail

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// write makes a file in a home.
func write(t *testing.T, home, name, text string, mode fs.FileMode) {
	t.Helper()
	path := home + "/" + name
	os.MkdirAll(filepath.Dir(path), 0o700)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestCandidates(t *testing.T) {
	for _, c := range []struct{ dash, ext, want string }{
		{"", "", ".qmail .qmaildefault="},
		{"-", "", ".qmail- .qmail-default="},
		{"-", "a", ".qmail-a .qmail-default=a"},
		{"-", "a-b-c", ".qmail-a-b-c .qmail-a-b-default=c .qmail-a-default=b-c .qmail-default=a-b-c"},
		{"-", "a-", ".qmail-a- .qmail-a-default= .qmail-default=a-"},
		{"-", "A.b-C.D", ".qmail-a:b-c:d .qmail-a:b-default=C.D .qmail-default=A.b-C.D"},
		{"-", "Default", ".qmail-default=Default .qmail-default=Default"},
		{"-", "x-default", ".qmail-x-default=default .qmail-x-default=default .qmail-default=x-default"},
		{"-", "..", ".qmail-:: .qmail-default=.."},
		{"-", "../../etc/x", ".qmail-::/::/etc/x .qmail-default=../../etc/x"},
		{"-/", "a", ".qmail-/a .qmail-/default=a"},
	} {
		var got []string
		for n := range candidates(c.dash, c.ext) {
			s := n.name
			if n.wild {
				s += "=" + n.rest
			}
			got = append(got, s)
		}
		if want := strings.Fields(c.want); !slices.Equal(got, want) {
			t.Errorf("%q %q: %q, want %q", c.dash, c.ext, got, want)
		}
	}
}

func TestFind(t *testing.T) {
	home := t.TempDir()
	write(t, home, ".qmail-list", "&a\n", 0o700)
	write(t, home, ".qmail-list-default", "&b\n", 0o644)
	write(t, home, ".qmail-group", "&c\n", 0o660)
	write(t, home, ".qmail-sub/x", "&d\n", 0o600)
	for _, c := range []struct {
		dash, ext string
		want      string // name, text, x bit, DEFAULT
	}{
		{"", "", "none"},
		{"-", "other", "none"},
		{"-", "list", ".qmail-list &a true"},
		{"-", "LIST", ".qmail-list &a true"},
		{"-", "list-Sub.x", ".qmail-list-default &b false Sub.x"},
		{"-", "group", ".qmail-group &c false"},
		{"-", "sub/x", ".qmail-sub/x &d false"},
		{"-", "list/x", "none"}, // a part of the path is no directory
		{"-", strings.Repeat("a", 1000), "none"},
		{"-", strings.Repeat("a-", 100000), "none"},
	} {
		got := "none"
		f, err := Find(home, c.dash, c.ext)
		if err != nil {
			t.Errorf("%q %q: %v", c.dash, c.ext, err)
		}
		if f != nil {
			got = f.Name + " " + strings.TrimSpace(string(f.Text)) + " " + map[bool]string{true: "true", false: "false"}[f.ForwardOnly]
			if f.Wild {
				got += " " + f.Default
			}
		}
		if got != c.want {
			t.Errorf("%q %q: %s, want %s", c.dash, c.ext, got, c.want)
		}
	}
}

// TestStrangeFiles: what a user may have put in place of a .qmail file.
func TestStrangeFiles(t *testing.T) {
	for _, c := range []struct {
		name string
		prep func(home string) error
		want string // text of the file, "none", or an error
	}{
		{"writable", func(home string) error { write(t, home, ".qmail", "./a\n", 0o602); return nil }, ErrWritable.Error()},
		{"directory", func(home string) error { return os.Mkdir(home+"/.qmail", 0o700) }, "none"},
		{"named pipe", func(home string) error { return unix.Mkfifo(home+"/.qmail", 0o666) }, "none"},
		{"socket", func(home string) error {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.Bind(fd, &unix.SockaddrUnix{Name: home + "/.qmail"})
		}, "none"},
		{"device", func(home string) error { return os.Symlink("/dev/zero", home+"/.qmail") }, "none"},
		{"link", func(home string) error {
			write(t, home, "real", "./a\n", 0o600)
			return os.Symlink("real", home+"/.qmail")
		}, "./a\n"},
		{"dangling link", func(home string) error { return os.Symlink("nothing", home+"/.qmail") }, "none"},
		{"link loop", func(home string) error { return os.Symlink(".qmail", home+"/.qmail") }, "none"},
		{"sparse file of a terabyte", func(home string) error {
			write(t, home, ".qmail", "", 0o600)
			return os.Truncate(home+"/.qmail", 1<<40)
		}, ErrTooLarge.Error()},
		{"binary", func(home string) error { write(t, home, ".qmail", "\x00\xff\r\n", 0o600); return nil }, "\x00\xff\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			home := t.TempDir()
			t.Chdir(home) // the name of a socket must be short
			if err := c.prep("."); err != nil {
				t.Fatal(err)
			}
			f, err := Find(home, "", "")
			got := "none"
			switch {
			case err != nil:
				got = err.Error()
			case f != nil:
				got = string(f.Text)
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestUnreadableFile(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root can read everything")
	}
	home := t.TempDir()
	write(t, home, ".qmail-a", "./a\n", 0)
	write(t, home, ".qmail-default", "./b\n", 0o600)
	_, err := Find(home, "-", "A")
	var path *fs.PathError
	if !errors.As(err, &path) || path.Path != ".qmail-a" || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v", err)
	}
}

// TestUnknownErrors: an error that does not say that the file is missing is never
// taken for that.
func TestUnknownErrors(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EIO, unix.ENOMEM, unix.EMFILE, unix.ENFILE, unix.ESTALE, unix.EACCES, unix.EPERM, unix.EPROTO, unix.ENOTCONN} {
		if unlessMissing(".qmail", &fs.PathError{Op: "open", Path: "/home/.qmail", Err: errno}) == nil {
			t.Errorf("%v: missing", errno)
		}
	}
}

func TestFindOwner(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{".qmail-owner", ".qmail-list-owner", ".qmail-verp-owner", ".qmail-verp-owner-default", ".qmail-only-owner-default", ".qmail-li:st-owner"} {
		write(t, home, name, "", 0o600)
	}
	for _, c := range []struct {
		dash, ext string
		want      Owner
	}{
		{"", "", OneOwner},
		{"-", "list", OneOwner},
		{"-", "Li.St", OneOwner},
		{"-", "verp", VariableOwner},
		{"-", "only", NoOwner},
		{"-", "other", NoOwner},
		{"-", "list-owner/x", NoOwner},
		{"-", strings.Repeat("a", 1000), NoOwner},
	} {
		if got, err := FindOwner(home, c.dash, c.ext); got != c.want || err != nil {
			t.Errorf("%q %q: %v %v, want %v", c.dash, c.ext, got, err, c.want)
		}
	}
}

// FuzzCandidates: no extension leads out of the home directory, or to a file
// whose name does not begin as those of .qmail files do.
func FuzzCandidates(f *testing.F) {
	f.Add("a-b.c")
	f.Add("../../etc/passwd")
	f.Add("-default-")
	f.Fuzz(func(t *testing.T, ext string) {
		if len(ext) > 2000 {
			return
		}
		for c := range candidates("-", ext) {
			if !strings.HasPrefix(c.name, ".qmail-") || strings.Contains(c.name[1:], ".") {
				t.Fatalf("%q: %q", ext, c.name)
			}
			if path := filepath.Join("/home", c.name); !strings.HasPrefix(path, "/home/.qmail-") {
				t.Fatalf("%q: %q", ext, path)
			}
			if !strings.HasSuffix(ext, c.rest) {
				t.Fatalf("%q: DEFAULT %q", ext, c.rest)
			}
		}
	})
}
