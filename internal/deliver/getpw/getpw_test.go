package getpw

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"goqmail/internal/deliver/exitcode"
	"goqmail/internal/host/account"
	"goqmail/internal/host/users"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/resident"
)

// nobody is a directory without accounts.
type nobody struct{}

func (nobody) User(string) (account.User, error) { return account.User{}, account.ErrUnknown }

// machine makes a machine with accounts, each a line of a password file in which HOME
// is a directory of this user and ME his number.
func machine(t testing.TB, directory Accounts, lines ...string) (*Machine, string) {
	t.Helper()
	dir := t.TempDir()
	text := strings.NewReplacer("HOME", dir, "ME", fmt.Sprint(os.Getuid()+notRoot(dir))).Replace(strings.Join(lines, "\n") + "\n")
	passwd := filepath.Join(dir, "passwd")
	if err := os.WriteFile(passwd, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m := NewMachine(passwd, directory)
	t.Cleanup(m.passwd.Close)
	return m, dir
}

// notRoot gives a directory to a user who is not root, and says which.
func notRoot(dir string) int {
	if os.Getuid() != 0 {
		return 0
	}
	os.Chown(dir, 47001, -1)
	return 47001
}

const (
	joe   = "joe:x:ME:5:Joe:HOME:/bin/sh"
	alias = "alias:x:7:8::/var/alias:/bin/sh"
)

func TestFind(t *testing.T) {
	long := strings.Repeat("u", MaxName)
	m, dir := machine(t, nobody{}, "# no account", "", "short:x:1", alias, joe,
		"joe-ann:x:ME:5::HOME:/", "j.r:x:ME:5::HOME:/", "Upper:x:ME:5::HOME:/",
		long+":x:ME:5::HOME:/", long+"x:x:ME:5::HOME:/",
		"gone:x:ME:5::HOME/gone:/", "below:x:ME:5::HOME/passwd/x:/", "other:x:1:1::HOME:/", "toor:x:0:0::/root:/", "empty:x:ME:5:::/",
		"odd:x:many:5::HOME:/", "odd:x:ME:6::HOME:/", "x-joe:x:1:1::/nowhere:/", "joe:x:9:9::/second:/")
	uid := uint32(os.Getuid() + notRoot(dir))
	for _, c := range []struct{ local, user, dash, ext string }{
		{"joe", "joe", "", ""},
		{"joe-x", "joe", "-", "x"},
		{"joe-x-y--z", "joe", "-", "x-y--z"},
		{"joe-", "joe", "-", ""},
		{"joe--x", "joe", "-", "-x"},
		{"JoE-ExT", "joe", "-", "ExT"},
		{"joe-ann", "joe-ann", "", ""},
		{"joe-ann-x", "joe-ann", "-", "x"},
		{"joe-anna", "joe", "-", "anna"},
		{"j.r-x", "j.r", "-", "x"},
		{long, long, "", ""},
		{long + "-x", long, "-", "x"},
		{"odd", "odd", "", ""},
		{"jim", "alias", "-", "jim"},
		{"Jim-X", "alias", "-", "Jim-X"},
		{"joe+x", "alias", "-", "joe+x"},
		{"joe.x", "alias", "-", "joe.x"},
		{"upper", "alias", "-", "upper"},
		{"Upper", "alias", "-", "Upper"},
		{long + "x", "alias", "-", long + "x"},
		{"gone", "alias", "-", "gone"},
		{"below-x", "alias", "-", "below-x"},
		{"other", "alias", "-", "other"},
		{"toor", "alias", "-", "toor"},
		{"empty", "alias", "-", "empty"},
		{"x-joe", "alias", "-", "x-joe"},
		{"", "alias", "-", ""},
		{"-", "alias", "-", "-"},
		{"-joe", "alias", "-", "-joe"},
		{"joe:x", "alias", "-", "joe:x"},
		{"joe\nalias", "alias", "-", "joe\nalias"},
		{strings.Repeat("a-", 40000), "alias", "-", strings.Repeat("a-", 40000)},
	} {
		want := users.Assignment{User: c.user, UID: uid, GID: 5, Home: dir, Dash: c.dash, Ext: c.ext}
		switch c.user {
		case "alias":
			want.UID, want.GID, want.Home = 7, 8, "/var/alias"
		case "odd":
			want.GID = 6
		}
		if got, err := Find(m, c.local); got != want || err != nil {
			t.Errorf("%.80q: %+v, %v", c.local, got, err)
		}
	}
}

// failing is a directory that is down for some names.
type failing struct{ names []string }

var errDown = errors.New("down")

func (f failing) User(name string) (account.User, error) {
	for _, n := range f.names {
		if n == name {
			return account.User{}, errDown
		}
	}
	return account.User{}, account.ErrUnknown
}

// code is the exit code of qmail-getpw for an error.
func code(err error) int {
	var status *outcome.Status
	if errors.As(err, &status) {
		return status.Code
	}
	return outcome.Of(err).ExitCode()
}

// TestTrouble: what cannot be told for the moment is an error, and never alias's.
func TestTrouble(t *testing.T) {
	m, dir := machine(t, failing{[]string{"ann", "ann-x"}}, alias, joe)
	for local, want := range map[string]int{"ann": 111, "ann-x": 111, "ann-y": 111, "joe-ann": 0, "joe": 0, "bob": 0} {
		if _, err := Find(m, local); code(err) != want {
			t.Errorf("%s: %v", local, err)
		}
	}
	without, _ := machine(t, nobody{}, joe)
	if _, err := Find(without, "jim"); code(err) != exitcode.NoAlias {
		t.Errorf("no alias: %v", err)
	}
	if _, err := Find(without, "joe"); err != nil {
		t.Errorf("no alias, but not needed: %v", err)
	}
	down, _ := machine(t, failing{[]string{"alias"}}, joe)
	if _, err := Find(down, "jim"); code(err) != 111 {
		t.Errorf("alias in a directory that is down: %v", err)
	}
	os.Remove(filepath.Join(dir, "passwd"))
	if _, err := Find(m, "joe"); code(err) != 111 {
		t.Errorf("no password file: %v", err)
	}
}

// TestChanges: each question is answered by the password file as it is.
func TestChanges(t *testing.T) {
	m, dir := machine(t, nobody{}, alias)
	answer := Answer(m)
	ask := func(fields ...string) []string { return answer(&resident.Request{Fields: fields}) }
	if got := ask("joe"); !reflect.DeepEqual(got, []string{"0", "alias\x007\x008\x00/var/alias\x00-\x00joe\x00"}) {
		t.Errorf("%q", got)
	}
	text := fmt.Sprintf("joe:x:%d:5::%s:/\n%s\n", os.Getuid()+notRoot(dir), dir, alias)
	if err := os.WriteFile(filepath.Join(dir, "passwd"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("joe\x00%d\x005\x00%s\x00\x00\x00", os.Getuid()+notRoot(dir), dir)
	if got := ask("joe"); !reflect.DeepEqual(got, []string{"0", want}) {
		t.Errorf("%q, want %q", got, want)
	}
	os.WriteFile(filepath.Join(dir, "passwd"), nil, 0o600)
	for _, c := range []struct{ fields, want []string }{
		{[]string{"joe"}, []string{"116", ""}},
		{nil, []string{"112", ""}},
		{[]string{"joe", "x"}, []string{"112", ""}},
	} {
		if got := ask(c.fields...); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %q", c.fields, got)
		}
	}
	os.Remove(filepath.Join(dir, "passwd"))
	if got := ask("joe"); !reflect.DeepEqual(got, []string{"111", ""}) {
		t.Errorf("no password file: %q", got)
	}
}

func TestServices(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"passwd: files\n", nil},
		{"passwd:files systemd mymachines", nil},
		{"group: files ldap\npasswd:\t files [SUCCESS=return] sss [!UNAVAIL=return] ldap # nis\n", []string{"sss", "ldap"}},
		{"#passwd: ldap\n  passwd : compat\n", []string{"compat"}},
		{"passwd: files [NOTFOUND=return", nil},
		{"passwd: [x] ldap [y", []string{"ldap"}},
		{"passwd_compat: nis\n", nil},
	} {
		if got := services(c.text); !reflect.DeepEqual(got, c.want) && len(got)+len(c.want) > 0 {
			t.Errorf("%q: %q", c.text, got)
		}
	}
}

// TestDirectory: what getent says, and what becomes of it.
func TestDirectory(t *testing.T) {
	type answer struct {
		output string
		code   int
		err    error
	}
	const ann = "ann:x:5:6::/home/ann:/bin/sh\n"
	probe := func(service string) string {
		return "-s passwd:" + service + " [UNAVAIL=return TRYAGAIN=return] files passwd alias"
	}
	for _, c := range []struct {
		name, nss, user string
		answers         map[string]answer
		want            error // ErrUnknown, another, or nil
		asked           int
	}{
		{"only files", "passwd: files", "ann", nil, account.ErrUnknown, 0},
		{"no configuration", "", "ann", nil, account.ErrUnknown, 0},
		{"found", "passwd: files ldap", "ann", map[string]answer{"passwd -- ann": {ann, 0, nil}}, nil, 1},
		{"not found, and the directory is up", "passwd: files ldap", "ann", map[string]answer{"passwd -- ann": {"", 2, nil}, probe("ldap"): {"alias:...", 0, nil}}, account.ErrUnknown, 2},
		{"the directory is down", "passwd: files ldap", "ann", map[string]answer{"passwd -- ann": {"", 2, nil}, probe("ldap"): {"", 2, nil}}, errDown, 2},
		{"the second of two is down", "passwd: files nis ldap", "ann", map[string]answer{"passwd -- ann": {"", 2, nil}, probe("nis"): {"", 0, nil}, probe("ldap"): {"", 2, nil}}, errDown, 3},
		{"a service that cannot be down", "passwd: files extrausers", "ann", map[string]answer{"passwd -- ann": {"", 2, nil}}, account.ErrUnknown, 1},
		{"sssd does not run", "passwd: files sss", "ann", map[string]answer{"passwd -- ann": {"", 2, nil}}, account.ErrUnknown, 1},
		{"getent cannot be run", "passwd: files ldap", "ann", map[string]answer{"passwd -- ann": {"", 0, errDown}}, errDown, 1},
		{"getent cannot be run again", "passwd: files ldap", "ann", map[string]answer{"passwd -- ann": {"", 2, nil}, probe("ldap"): {"", 0, errDown}}, errDown, 2},
		{"another exit code", "passwd: files ldap", "ann", map[string]answer{"passwd -- ann": {"", 1, nil}}, errDown, 1},
		{"a number", "passwd: files extrausers", "5", map[string]answer{"passwd -- 5": {ann, 0, nil}}, account.ErrUnknown, 1},
		{"no account", "passwd: files extrausers", "ann", map[string]answer{"passwd -- ann": {"ann:x\n", 0, nil}}, account.ErrUnknown, 1},
		{"nothing", "passwd: files extrausers", "ann", map[string]answer{"passwd -- ann": {"", 0, nil}}, account.ErrUnknown, 1},
		{"a name for a query", "passwd: files ldap", "ann)(uid=*", nil, account.ErrUnknown, 0},
		{"a name with a space", "passwd: files ldap", "a b", nil, account.ErrUnknown, 0},
	} {
		path := filepath.Join(t.TempDir(), "nsswitch.conf")
		if c.nss != "" {
			if err := os.WriteFile(path, []byte(c.nss), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		d := NewDirectory(path)
		asked := 0
		d.Run = func(args ...string) ([]byte, int, error) {
			asked++
			a, ok := c.answers[strings.Join(args, " ")]
			if !ok {
				t.Errorf("%s: asked for %q", c.name, args)
			}
			return []byte(a.output), a.code, a.err
		}
		u, err := d.User(c.user)
		d.nss.Close()
		unknown := errors.Is(err, account.ErrUnknown)
		if (err == nil) != (c.want == nil) || unknown != (c.want == account.ErrUnknown) || (err == nil) != (u.Name == c.user) || asked != c.asked {
			t.Errorf("%s: %+v, %v, asked %d times", c.name, u, err, asked)
		}
	}
}

// TestGetent: the real one, if it is there, finds root and not a name that is none.
func TestGetent(t *testing.T) {
	if missing("/usr/bin/getent") {
		t.Skip("needs getent")
	}
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"passwd", "--", "root"}, 0},
		{[]string{"passwd", "--", "no-such-user-at-all"}, 2},
		{[]string{"-s", "passwd:nonexistent [UNAVAIL=return TRYAGAIN=return] files", "passwd", "root"}, 2}, // it is down
		{[]string{"-s", "passwd:files [UNAVAIL=return TRYAGAIN=return] files", "passwd", "root"}, 0},
	} {
		output, code, err := getent(c.args...)
		if code != c.code || err != nil || strings.HasPrefix(string(output), "root:") != (code == 0) {
			t.Errorf("%q: %q, %d, %v", c.args, output, code, err)
		}
	}
}

// FuzzFind: whatever the address and the accounts, the owner is one of them, or
// alias, and not root.
func FuzzFind(f *testing.F) {
	f.Add("joe-x", "joe:x:5:5::/:/\nalias:x:7:8::/:/\n")
	f.Add("root", "root:x:0:0::/:/\nroot-:\n\nalias:x:0:8::/:/")
	f.Fuzz(func(t *testing.T, local, passwd string) {
		path := filepath.Join(t.TempDir(), "passwd")
		if err := os.WriteFile(path, []byte(passwd), 0o600); err != nil {
			t.Fatal(err)
		}
		m := NewMachine(path, nobody{})
		defer m.passwd.Close()
		a, err := Find(m, local)
		if err != nil {
			return
		}
		if !strings.Contains("\n"+passwd, "\n"+a.User+":") || a.UID == 0 && a.User != Alias {
			t.Errorf("%+v", a)
		}
		if a.User == Alias && a.Ext == local && a.Dash == "-" {
			return
		}
		if !strings.EqualFold(a.User+a.Dash+a.Ext, local) {
			t.Errorf("%+v owns %q", a, local)
		}
	})
}
