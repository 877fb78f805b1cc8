package child

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"goqmail/internal/mail/outcome"
)

// inherited is what a program finds on its descriptors, and what it has printed.
func inherited(t *testing.T) (files []*os.File, printed func() string) {
	t.Helper()
	out, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	return []*os.File{nil, out, out}, func() string {
		text, _ := os.ReadFile(out.Name())
		return string(text)
	}
}

func TestFeed(t *testing.T) {
	files, printed := inherited(t)
	if err := Feed(files, []string{"sh", "-c", "cat; echo $0", "arg"}, "text\n", strings.NewReader("message\n")); err != nil {
		t.Error(err)
	}
	if got := printed(); got != "text\nmessage\narg\n" {
		t.Errorf("%q", got)
	}
	if err := Feed(files, []string{"/nonexistent"}, "", strings.NewReader("")); !Missing(err) {
		t.Error(err)
	}
	if err := Feed(files, []string{"sh", "-c", "kill -9 $$"}, "", strings.NewReader("")); err != ErrCrashed {
		t.Error(err)
	}
}

// TestUnread: a program need not read the message, however long it is.
func TestUnread(t *testing.T) {
	for script, code := range map[string]int{"exit 0": 0, "exec <&-; exit 3": 3, "read line; exit 99": 99} {
		files, _ := inherited(t)
		err := Feed(files, []string{"sh", "-c", script}, "x\n", strings.NewReader(strings.Repeat("0123456789abcde\n", 1<<17)))
		var status *outcome.Status
		if (code == 0) != (err == nil) || errors.As(err, &status) && status.Code != code {
			t.Errorf("%s: %v", script, err)
		}
	}
}

// TestBrokenMessage: a program never sees the end of a message that is not whole.
func TestBrokenMessage(t *testing.T) {
	files, printed := inherited(t)
	message := io.MultiReader(strings.NewReader("begin\n"), iotest.ErrReader(errors.New("broken")))
	err := Feed(files, []string{"sh", "-c", "cat >/dev/null; echo whole"}, "", message)
	if err == nil || err.Error() != "unable to copy input: broken" || printed() != "" {
		t.Errorf("%v %q", err, printed())
	}
}
