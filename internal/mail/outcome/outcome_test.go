package outcome

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
)

func TestOf(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want Outcome
	}{
		{"no error", nil, Success},
		{"an error nobody knows", errors.New("x"), Deferral},
		{"a missing file", fs.ErrNotExist, Deferral},
		{"access denied", syscall.EACCES, Deferral},
		{"a failure", Fail("no mailbox here by that name"), Failure},
		{"a failure inside", fmt.Errorf("local: %w", Fail("x")), Failure},
		{"marked", Permanent(syscall.EISDIR), Failure},
		{"usage", Usage("x y"), Failure},
		{"usage inside", fmt.Errorf("forward: %w", Usage("x y")), Failure},
		{"nothing marked", Permanent(nil), Success},
		{"several, one of them permanent", errors.Join(errors.New("x"), Fail("y")), Failure},
	} {
		if got := Of(c.err); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestText(t *testing.T) {
	err := Permanent(syscall.EISDIR)
	if err.Error() != syscall.EISDIR.Error() || !errors.Is(err, syscall.EISDIR) {
		t.Errorf("%v", err)
	}
}

func TestCodes(t *testing.T) {
	for o, want := range map[Outcome]int{Success: 0, Deferral: 111, Failure: 100} {
		if o.ExitCode() != want {
			t.Errorf("%v: exit code %d, want %d", o, o.ExitCode(), want)
		}
	}
	if Success.Letter() != 'K' || Deferral.Letter() != 'Z' || Failure.Letter() != 'D' {
		t.Error("letters")
	}
}

func TestOfProgram(t *testing.T) {
	hard := map[int]bool{64: true, 65: true, 70: true, 76: true, 77: true, 78: true, 100: true, 112: true}
	for code := range 256 {
		want := Deferral
		switch {
		case code == 0:
			want = Success
		case hard[code]:
			want = Failure
		}
		if got := OfProgram(code); got != want {
			t.Errorf("%d: %v", code, got)
		}
	}
}
