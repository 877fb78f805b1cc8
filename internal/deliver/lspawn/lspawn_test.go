package lspawn

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/deliver/exitcode"
	"goqmail/internal/deliver/spawner"
	"goqmail/internal/host/cdb"
	"goqmail/internal/host/child"
	"goqmail/internal/host/users"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/resident"
)

func TestReport(t *testing.T) {
	long := strings.Repeat("x", maxOutput+1)
	for _, c := range []struct {
		code         int
		output, want string
	}{
		{0, "did 1+0+0\n", "Kdid 1+0+0\n"},
		{0, "", "K"},
		{100, "sorry\n", "Dsorry\n"},
		{111, "later\n", "Zlater\n"},
		{71, "x", "Zx"}, {74, "x", "Zx"}, {75, "x", "Zx"},
		{1, "x", "Dx"}, {64, "x", "Dx"}, {99, "x", "Dx"}, {101, "x", "Dx"}, {255, "x", "Dx"},
		{2, "x", "Zqmail-local crashed.\n"},
		{112, "x", "ZInternal qmail-lspawn bug.\n"},
		{113, "x", "ZNot allowed to perform deliveries as root.\n"},
		{115, "x", "ZNFS failure in qmail-local.\n"},
		{116, "x", "ZUnable to find alias user!\n"},
		{117, "x", "ZTrouble reading users/cdb in qmail-lspawn.\n"},
		{118, "x", "ZTemporary failure in qmail-lspawn.\n"},
		{119, "x", "ZOut of memory in qmail-lspawn.\n"},
		{120, "x", "ZUnable to run qmail-local.\n"},
		{121, "x", "ZUnable to run qmail-getpw.\n"},
		{126, "x", "DUnable to run qmail-local.\n"},
		{0, long[:maxOutput], "K" + long[:maxOutput]},
		{100, long, "D" + long[:keptOfIt] + tooLong},
	} {
		if got := report(c.code, []byte(c.output)); got != c.want {
			t.Errorf("exit code %d: %.80q, want %.80q", c.code, got, c.want)
		}
	}
}

// home makes an installation with shell scripts for programs, that other users can
// run.
func home(t *testing.T, programs map[string]string) string {
	t.Helper()
	home := t.TempDir()
	for _, dir := range []string{filepath.Dir(home), home} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"bin", "users"} {
		if err := os.Mkdir(filepath.Join(home, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, script := range programs {
		if err := os.WriteFile(filepath.Join(home, "bin", name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return home
}

// self is this process as a user, so that tests need not be root; as root they run
// as another user.
func self() child.Identity {
	if os.Getuid() == 0 {
		return child.Identity{UID: 65533, GID: 65532}
	}
	return child.Identity{UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
}

// delivery opens a message for a recipient.
func delivery(t *testing.T, recipient string) spawner.Delivery {
	t.Helper()
	path := filepath.Join(t.TempDir(), "message")
	if err := os.WriteFile(path, []byte("text\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	local, host, _ := strings.Cut(recipient, "@")
	return spawner.Delivery{Message: f, Sender: "s@x", Recipient: recipient, Local: local, Host: host}
}

func TestDeliver(t *testing.T) {
	needsRoot(t)
	id := self()
	home := home(t, map[string]string{
		"qmail-local": `printf '%s|' "$0" "$@"; printf '%s %s %s|' $(id -u) $(id -g) "$(id -G)"; pwd; cat; echo error >&2`,
		"other":       "echo other $6",
		"refuses":     "echo no; exit 100",
	})
	owner := users.Assignment{User: "joe", UID: id.UID, GID: id.GID, Home: "/home/joe", Dash: "-", Ext: "x"}
	find := func(local string) (users.Assignment, error) {
		switch local {
		case "joe-x":
			return owner, nil
		case "root":
			return users.Assignment{User: "root", Home: "/root"}, nil
		case "away":
			return users.Assignment{}, &outcome.Status{Code: exitcode.NFS}
		case "odd":
			return users.Assignment{}, &outcome.Status{Code: 100}
		case "unsure":
			return users.Assignment{}, &outcome.Status{Text: getpwUnsure}
		}
		return users.Assignment{}, errors.New("unknown trouble")
	}
	ran := fmt.Sprintf("Kbin/qmail-local|--|joe|/home/joe|joe-x|-|x|h|s@x|./Mailbox|%d %d %d|%s\ntext\nerror\n", id.UID, id.GID, id.GID, home)
	t.Setenv("PATH", home+"/bin:"+os.Getenv("PATH"))
	for _, c := range []struct{ name, other, recipient, want string }{
		{"delivered as the user", "", "joe-x@h", ran},
		{"another program, looked up", "other", "joe-x@h", "Kother x\n"},
		{"another program, by its path", home + "/bin/refuses", "joe-x@h", "Dno\n"},
		{"no such program", "none", "joe-x@h", "ZUnable to run qmail-local.\n"},
		{"empty local part", "", "@h", "K"},
		{"never as root", "", "root@h", "ZNot allowed to perform deliveries as root.\n"},
		{"trouble with a code", "", "away@h", "ZNFS failure in qmail-local.\n"},
		{"trouble with an odd code", "", "odd@h", "D"},
		{"trouble with a text", "", "unsure@h", getpwUnsure},
		{"trouble nobody thought of", "", "what@h", "ZTemporary failure in qmail-lspawn.\n"},
	} {
		l := Lspawn{Owners: Owners{Assigned: users.NewTable(home + "/users/cdb"), Accounts: find}, Local: NewLocal(home, "./Mailbox", c.other, null(t), true)}
		if got := l.Deliver(delivery(t, c.recipient)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func null(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// needsRoot skips what only root can do: become a user.
func needsRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it runs programs as another user")
	}
}

// TestOwners: users/cdb comes first; trouble with it is no reason to go on.
func TestOwners(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cdb")
	o := Owners{Assigned: users.NewTable(path), Accounts: func(local string) (users.Assignment, error) {
		return users.Assignment{User: "account"}, nil
	}}
	for _, c := range []struct {
		name, assign string
		user         string
		code         int
	}{
		{"no users/cdb", "", "account", 0},
		{"assigned", "=joe:assigned:1:2:/:::\n.\n", "assigned", 0},
		{"not assigned", "=ann:assigned:1:2:/:::\n.\n", "account", 0},
		{"a bad assignment", "=joe:assigned:x:2:/:::\n.\n", "", exitcode.UsersCDB},
	} {
		if c.assign != "" {
			cdb.Replace(path, path+".tmp", func(w *cdb.Writer) error { return users.Compile(strings.NewReader(c.assign), w) })
		}
		a, err := o.Find("joe")
		var status *outcome.Status
		if errors.As(err, &status) != (c.code != 0) || (status != nil && status.Code != c.code) || a.User != c.user {
			t.Errorf("%s: %+v, %v", c.name, a, err)
		}
	}
}

func TestGetpw(t *testing.T) {
	needsRoot(t)
	id := self()
	for _, c := range []struct{ name, script, want string }{
		{"found", `printf 'joe\0005\0006\000/home/joe\000-\000%s\000' "$1"; echo noise >&2`, "joe 5 6 /home/joe - the-local"},
		{"its identity and descriptors", `printf '%s\0%s\0%s\0%s\0\0\0' "$(ls -l /proc/self/fd/0 /proc/self/fd/2 | sed 's/.*> //' | tr '\n' ,)" $(id -u) $(id -g) "$(pwd) $(id -G)"`, "identity"},
		{"malformed", "printf 'joe\\0005\\0006\\000'", "ZInternal qmail-lspawn bug.\n"},
		{"nothing", "exit 0", "ZInternal qmail-lspawn bug.\n"},
		{"not a number", "printf 'joe\\000x\\0006\\000/\\000\\000\\000'", "ZInternal qmail-lspawn bug.\n"},
		{"longer than can be", "yes | head -c 1000000", "ZInternal qmail-lspawn bug.\n"},
		{"cannot tell for now", "exit 111", getpwUnsure},
		{"no alias", "exit 116", "ZUnable to find alias user!\n"},
		{"crash", "kill -9 $$", getpwCrashed},
		{"panic", "exit 2", getpwCrashed},
		{"wrong call", "exit 100", "D"},
		{"cannot be run", "", "ZUnable to run qmail-getpw.\n"},
	} {
		programs := map[string]string{"qmail-getpw": c.script}
		if c.script == "" {
			programs = nil
		}
		home := home(t, programs)
		if c.want == "identity" {
			c.want = fmt.Sprintf("/dev/null,/dev/null, %d %d %s %d  ", id.UID, id.GID, home, id.GID)
		}
		a, err := NewGetpw(home, id, null(t), true).Find("the-local")
		got := fmt.Sprintln(a.User, a.UID, a.GID, a.Home, a.Dash, a.Ext)
		if err != nil {
			got = refusal(err)
		} else {
			got = strings.TrimSuffix(got, "\n")
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestReplies: a resident program is a user's process, and may say anything.
func TestReplies(t *testing.T) {
	long := strings.Repeat("x", 60000)
	for _, c := range []struct {
		name  string
		reply []string
		err   error
		want  string
	}{
		{"success", []string{"0", "did 1+0+0\n"}, nil, "Kdid 1+0+0\n"},
		{"failure", []string{"100", "no\n"}, nil, "Dno\n"},
		{"a code with a text of its own", []string{"126", "x"}, nil, "DUnable to run qmail-local.\n"},
		{"long", []string{"0", long}, nil, "K" + long[:keptOfIt] + tooLong},
		{"no such code", []string{"256", ""}, nil, "Zqmail-local crashed.\n"},
		{"a negative code", []string{"-1", ""}, nil, "Zqmail-local crashed.\n"},
		{"no code", []string{"", ""}, nil, "Zqmail-local crashed.\n"},
		{"not a code", []string{"0x0", ""}, nil, "Zqmail-local crashed.\n"},
		{"no fields", nil, nil, "Zqmail-local crashed.\n"},
		{"too many fields", []string{"0", "a", "b"}, nil, "Zqmail-local crashed.\n"},
		{"lost", nil, resident.ErrLost, "Zqmail-local crashed.\n"},
		{"crashed", nil, resident.ErrCrashed, "Zqmail-local crashed.\n"},
		{"refused", nil, resident.ErrRefused, "ZUnable to run qmail-local.\n"},
	} {
		if got := replyReport(c.reply, c.err); got != c.want {
			t.Errorf("%s: %.80q, want %.80q", c.name, got, c.want)
		}
	}
	for _, c := range []struct {
		name  string
		reply []string
		want  string
	}{
		{"found", []string{"0", "joe\x005\x006\x00/\x00\x00\x00"}, ""},
		{"malformed", []string{"0", "joe\x005\x006\x00/\x00\x00"}, "ZInternal qmail-lspawn bug.\n"},
		{"no alias", []string{"116", ""}, "ZUnable to find alias user!\n"},
		{"unsure", []string{"111", ""}, getpwUnsure},
		{"not a code", []string{"x", ""}, getpwCrashed},
		{"no fields", nil, getpwCrashed},
	} {
		got := ""
		if _, err := readReply(c.reply); err != nil {
			got = refusal(err)
		}
		if got != c.want {
			t.Errorf("getpw, %s: %q, want %q", c.name, got, c.want)
		}
	}
}

// FuzzReplies: whatever they say, what comes out is a report, and nobody is root.
func FuzzReplies(f *testing.F) {
	f.Add("0", "did 0+0+1\n")
	f.Add("0", "joe\x005\x006\x00/\x00\x00\x00")
	f.Fuzz(func(t *testing.T, code, text string) {
		got := replyReport([]string{code, text}, nil)
		if !strings.Contains("KZD", got[:1]) || len(got) > maxOutput+1 {
			t.Errorf("%q", got)
		}
		a, err := readReply([]string{code, text})
		if err != nil && refusal(err) == "" || a.UID == 1<<32-1 {
			t.Errorf("%+v, %v", a, err)
		}
	})
}
