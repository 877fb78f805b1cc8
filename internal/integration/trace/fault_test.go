package trace

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// suffer has a shell run cat under a fault, and returns what came of it.
func suffer(t *testing.T, f Fault, file string) (Story, string) {
	t.Helper()
	if !CanFail {
		t.Skip("needs amd64")
	}
	f.Program = "cat"
	cmd := exec.Command("/bin/sh", "-c", `cat "$0"; exit $?`, file)
	var text strings.Builder
	cmd.Stdout, cmd.Stderr = &text, &text
	s, err := f.Suffer(cmd, func(*os.Process) {})
	if err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // for the output alone
	return s, text.String()
}

// TestSuffer: a fault meets one call of one program, once, and nothing else.
func TestSuffer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("text\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	calm, text := suffer(t, Fault{}, file)
	if calm.Code != 0 || calm.Met != "" || text != "text\n" {
		t.Fatalf("%+v %q", calm, text)
	}
	n := 1 + slices.Index(calm.Could[unix.EIO], "openat "+file)
	if s, text := suffer(t, Fault{Errno: unix.EIO, Nth: n}, file); s.Code != 1 || s.Met != "openat "+file || !strings.Contains(text, "Input/output error") {
		t.Errorf("%+v %q", s, text)
	}
	for n := 0; n < len(calm.Could[Kill]); n += 7 {
		s, _ := suffer(t, Fault{Errno: Kill, Nth: n + 1}, file)
		want, _, _ := strings.Cut(calm.Could[Kill][n], " pipe:")
		if s.Code != 128+int(unix.SIGKILL) || !strings.HasPrefix(s.Met, want) { // the shell's code
			t.Errorf("call %d: %+v", n+1, s)
		}
	}
	if s, text := suffer(t, Fault{Errno: Kill, Nth: 10_000}, file); s.Met != "" || text != "text\n" {
		t.Errorf("past the end: %+v %q", s, text)
	}
}

// TestAhead: a program sees another time.
func TestAhead(t *testing.T) {
	if !CanFail {
		t.Skip("needs amd64")
	}
	cmd := exec.Command("/bin/date", "+%s")
	var text strings.Builder
	cmd.Stdout = &text
	if _, err := (Fault{Ahead: func() int64 { return -1e9 }}).Suffer(cmd, func(*os.Process) {}); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	seen, err := strconv.ParseInt(strings.TrimSpace(text.String()), 10, 64)
	if away := time.Now().Unix() - seen; err != nil || away < 1e9 || away > 1e9+600 {
		t.Errorf("%q", text.String())
	}
}
