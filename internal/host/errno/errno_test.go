package errno

import (
	"errors"
	"io/fs"
	"syscall"
	"testing"
)

func TestText(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}, "file does not exist"},
		{syscall.EACCES, "access denied"},
		{syscall.EPERM, "permission denied"},
		{syscall.EISDIR, "is a directory"},
		{syscall.ENOTDIR, "not a directory"},
		{&fs.PathError{Op: "open", Path: "x", Err: errors.New("odd")}, "odd"},
		{errors.New("not a regular file"), "not a regular file"},
	} {
		if got := Text(c.err); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
	for number, text := range words {
		if number.Error() == text {
			t.Errorf("%q is Linux's own text", text)
		}
	}
}
