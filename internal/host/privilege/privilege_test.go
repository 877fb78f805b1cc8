package privilege

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/host/account"
)

const (
	stage = "GOQMAIL_PRIVILEGE_TEST"
	uid   = 46111
	gid   = 46112
)

// TestMain runs what changes the whole process in a process of its own.
func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(stage) {
	case "become":
		err = inAllThreads(become(uid, gid))
	case "public":
		err = inAllThreads(Become(uid, gid))
	case "another":
		err = Become(uid+1, gid)
	case "same":
		err = Become(uid, gid)
	case "keep":
		err = check(uid, gid)
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// inAllThreads looks at every thread.
func inAllThreads(err error) error {
	if err != nil {
		return err
	}
	files, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(files) < 2 {
		return fmt.Errorf("threads: %v, %v", files, err)
	}
	for _, f := range files {
		status, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		for _, want := range []string{"Uid:\t46111\t46111\t46111\t46111\n", "Gid:\t46112\t46112\t46112\t46112\n", "Groups:\t \n", "CapPrm:\t0000000000000000\n"} {
			if !strings.Contains(string(status), want) {
				return fmt.Errorf("%s lacks %q:\n%s", f, want, status)
			}
		}
	}
	return nil
}

func run(t *testing.T, what string, as *syscall.Credential) (string, error) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), stage+"="+what)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func TestBecome(t *testing.T) {
	if out, err := run(t, "become", &syscall.Credential{Groups: []uint32{1, 2, 3}}); err != nil {
		t.Error(out, err)
	}
}

func TestBecomeByNumber(t *testing.T) {
	for _, c := range []struct {
		what string
		as   syscall.Credential
		want string
	}{
		{"public", syscall.Credential{Groups: []uint32{1, 2, 3}}, ""},
		{"same", syscall.Credential{Uid: uid, Gid: gid, Groups: []uint32{gid}}, ""},
		{"same", syscall.Credential{Uid: uid, Gid: gid + 1}, "user number 46111: operation not permitted"},
		{"another", syscall.Credential{Uid: uid, Gid: gid}, "user number 46112: operation not permitted"},
	} {
		if out, err := run(t, c.what, &c.as); out != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s as %+v: %q, %v", c.what, c.as, out, err)
		}
	}
	if os.Getuid() != 0 {
		return
	}
	for _, ids := range [][2]uint32{{0, gid}, {uid, 0}, {0, 0}} {
		if err := Become(ids[0], ids[1]); !errors.Is(err, ErrRoot) {
			t.Errorf("%v: %v", ids, err)
		}
	}
}

// TestCheck: what is not quite the user is not good enough.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		as   syscall.Credential
		want string
	}{
		{syscall.Credential{Uid: uid, Gid: gid}, ""},
		{syscall.Credential{Uid: 0, Gid: gid}, "the kernel did not change user and group"},
		{syscall.Credential{Uid: uid, Gid: 0}, "the kernel did not change user and group"},
		{syscall.Credential{Uid: uid, Gid: gid, Groups: []uint32{0}}, "supplementary groups are left"},
	} {
		out, err := run(t, "keep", &c.as)
		if out != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%+v: %q, %v", c.as, out, err)
		}
	}
}

func TestDropRefuses(t *testing.T) {
	if os.Getuid() != 0 {
		if err := Drop("root"); err != nil {
			t.Error(err)
		}
		return
	}
	if err := Drop("root"); !errors.Is(err, ErrRoot) {
		t.Error(err)
	}
	if err := Drop("nobody of that name"); !errors.Is(err, account.ErrUnknown) {
		t.Error(err)
	}
	if os.Getuid() != 0 {
		t.Error("dropped")
	}
}
