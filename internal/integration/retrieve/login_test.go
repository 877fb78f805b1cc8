// Package retrieve tests POP3 as it is used: qmail-popup, qmail-checkpassword and
// qmail-pop3d as processes, with real accounts, over TCP.
package retrieve

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/integration/site"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { site.Main(m) }

// hash is of the password "secret".
const hash = "$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz."

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newSite is a site where joe's password is secret, ann is locked, bob must change
// his, and root's is secret too; and with a virtual mailbox, mail@example.org, that
// belongs to joe's number and has the plain password "open sesame".
func newSite(t *testing.T) *site.Site {
	t.Helper()
	s := site.New(t)
	shadow := filepath.Join(t.TempDir(), "shadow")
	must(t, os.WriteFile(shadow, fmt.Appendf(nil, `root:%[1]s:20000:0:99999:7:::
joe:%[1]s:20000:0:99999:7:::
ann:!%[1]s:20000:0:99999:7:::
bob:%[1]s:0:0:99999:7:::
`, hash), 0o600))
	must(t, unix.Mount(shadow, "/etc/shadow", "", unix.MS_BIND, ""))
	t.Cleanup(func() { unix.Unmount("/etc/shadow", unix.MNT_DETACH) })
	joe := site.Account("joe")
	must(t, os.WriteFile(mailboxes(), fmt.Appendf(nil, "mail@example.org:{PLAIN}open sesame:%d:%d::%s/mail\nann@example.org:%s:%d:%d::/nonexistent\n", joe.UID, joe.GID, joe.Home, hash, joe.UID, joe.GID), 0o600))
	return s
}

func mailboxes() string { return site.Home + "/users/passwd" }

// told is descriptor 3 of a checkpassword.
func told(t *testing.T, record string) []*os.File {
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	t.Cleanup(func() { r.Close() })
	go func() { w.WriteString(record); w.Close() }()
	return []*os.File{r}
}

// show prints who and where it is, and what it was given.
const show = `echo "$(id -u) $(id -g) $(id -G) $PWD $USER $HOME $SHELL $KEPT $0 $*"; [ -e /dev/fd/3 ] && echo descriptor 3 is open; umask`

func TestCheckpassword(t *testing.T) {
	s := newSite(t)
	joe := site.Account("joe")
	must(t, os.Mkdir(joe.Home+"/mail", 0o755))
	as := func(name, home string) string {
		return fmt.Sprintf("%[1]d %[2]d %[2]d %[3]s %[4]s %[3]s /bin/sh kept a b c\n0022\n", joe.UID, joe.GID, home, name)
	}
	program := []string{"sh", "-c", show, "a", "b", "c"}
	const unable = "qmail-checkpassword: user %q: unable to "
	for _, c := range []struct {
		name   string
		args   []string
		record string
		as     string
		code   int
		stdout string
		stderr string // its beginning
	}{
		{name: "an account", args: program, record: "joe\x00secret\x00<x>\x00", stdout: as("joe", joe.Home)},
		{name: "a mailbox", args: program, record: "Mail@Example.Org\x00open sesame\x00<x>\x00", stdout: as("mail@example.org", joe.Home+"/mail")},
		{name: "APOP", args: program, record: "mail@example.org\x0074bd3c53f8f8c36ba4e01dc05e6f6b7d\x00<x>\x00", code: 1},
		{name: "a wrong password", args: program, record: "joe\x00Secret\x00<x>\x00", code: 1},
		{name: "an unknown user", args: program, record: "fred\x00secret\x00<x>\x00", code: 1},
		{name: "a locked account", args: program, record: "ann\x00secret\x00<x>\x00", code: 1, stderr: `qmail-checkpassword: user "ann": account is locked`},
		{name: "a password that has to be changed", args: program, record: "bob\x00secret\x00<x>\x00", code: 1, stderr: `qmail-checkpassword: user "bob": password must be changed`},
		{name: "root", args: program, record: "root\x00secret\x00<x>\x00", code: 1, stderr: `qmail-checkpassword: user "root": user or group number is 0`},
		{name: "only mailboxes", args: append([]string{"-v"}, program...), record: "joe\x00secret\x00<x>\x00", code: 1},
		{name: "only mailboxes, and a mailbox", args: append([]string{"-v"}, program...), record: "mail@example.org\x00open sesame\x00<x>\x00", stdout: as("mail@example.org", joe.Home+"/mail")},
		{name: "without root, as the user", as: "joe", args: append([]string{"-v"}, program...), record: "mail@example.org\x00open sesame\x00<x>\x00", code: 111, stderr: "qmail-checkpassword: "},
		{name: "the exit code of the program", args: []string{"sh", "-c", "exit 77"}, record: "joe\x00secret\x00<x>\x00", code: 77},
		{name: "no home", args: program, record: "ann@example.org\x00secret\x00<x>\x00", code: 111, stderr: fmt.Sprintf(unable, "ann@example.org") + "go home: "},
		{name: "no such program", args: []string{"no-such-program"}, record: "joe\x00secret\x00<x>\x00", code: 111, stderr: fmt.Sprintf(unable, "joe") + "run no-such-program: "},
		{name: "no program", record: "joe\x00secret\x00<x>\x00", code: 2, stderr: "qmail-checkpassword: usage: "},
		{name: "an unknown option", args: []string{"-x", "true"}, record: "joe\x00secret\x00<x>\x00", code: 2, stderr: "qmail-checkpassword: illegal option -- x"},
		{name: "an empty record", args: program, code: 2, stderr: "qmail-checkpassword: no name and password"},
		{name: "half a record", args: program, record: "joe\x00secret", code: 2, stderr: "qmail-checkpassword: no name and password"},
		{name: "a long record", args: program, record: strings.Repeat("x", 513), code: 1, stderr: "qmail-checkpassword: more than 512 bytes"},
	} {
		r := s.Run(site.Command{Program: "qmail-checkpassword", Args: c.args, As: c.as, Env: []string{"KEPT=kept", "USER=x", "HOME=/"}, Files: told(t, c.record)})
		if r.Code != c.code || r.Signal != 0 || r.Stdout != c.stdout || !strings.HasPrefix(r.Stderr, c.stderr) || c.stderr == "" && r.Stderr != "" {
			t.Errorf("%s: exit code %d, %q, %q", c.name, r.Code, r.Stdout, r.Stderr)
		}
	}
}

// TestCheckpasswordFiles: what the file of mailboxes and descriptor 3 may be.
func TestCheckpasswordFiles(t *testing.T) {
	s := newSite(t)
	joe := site.Account("joe")
	must(t, os.Mkdir(joe.Home+"/mail", 0o755))
	const record = "mail@example.org\x00open sesame\x00<x>\x00"
	run := func(as string, files []*os.File, args ...string) site.Result {
		return s.Run(site.Command{Program: "qmail-checkpassword", Args: append(args, "true"), As: as, Files: files})
	}
	for _, c := range []struct {
		name  string
		cause func() error
		as    string
		code  int
	}{
		{"everybody can read it", func() error { return os.Chmod(mailboxes(), 0o644) }, "", 111},
		{"the user runs it, and the group can read it", func() error {
			return chown(0, int(joe.GID), 0o640)
		}, "joe", 0},
		{"somebody else runs it", func() error {
			return chown(0, int(site.Account("ann").GID), 0o640)
		}, "ann", 111},
		{"the user owns it", func() error { return chown(int(joe.UID), 0, 0o600) }, "", 111},
		{"there is none", func() error { return os.Remove(mailboxes()) }, "", 1},
	} {
		must(t, c.cause())
		if r := run(c.as, told(t, record), "-v"); r.Code != c.code {
			t.Errorf("%s: exit code %d: %s", c.name, r.Code, r.Stderr)
		}
	}
	if r := run("", nil); r.Code != 2 {
		t.Errorf("closed descriptor 3: exit code %d: %s", r.Code, r.Stderr)
	}
	file := filepath.Join(t.TempDir(), "record")
	must(t, os.WriteFile(file, []byte("joe\x00secret\x00"), 0o600))
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	if r := run("", []*os.File{f}); r.Code != 0 {
		t.Errorf("a file on descriptor 3: exit code %d: %s", r.Code, r.Stderr)
	}
}

func chown(uid, gid int, mode os.FileMode) error {
	if err := os.Chown(mailboxes(), uid, gid); err != nil {
		return err
	}
	return os.Chmod(mailboxes(), mode)
}
