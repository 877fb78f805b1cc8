package checkpassword

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/host/account"
)

// What the tests need hashes of.
const (
	secretHash = "$1$saltsalt$9xy1btjgzLYfb7hivXtC//"                           // secret
	bcryptHash = "$2b$04$GVxEOzp3w0o2Qx5z4h1GxOMJ1MjYMZmJYc5uWJcQXGmYQdIUg8g3i" // nothing known
)

var now = time.Date(2026, 11, 24, 14, 5, 0, 0, time.UTC) // day 20781

const mailboxes = `# mailboxes
joe@example.org:{PLAIN}open sesame:5000:5001::/var/vmail/joe
ann@example.org:{CRYPT}` + secretHash + `:5000:5001:Ann:/var/vmail/ann:/bin/false:more
Bob@Example.Org:` + secretHash + `:5000:5001::/var/vmail/bob::
locked@example.org:!` + secretHash + `:5000:5001::/var/vmail/x
nothing@example.org::5000:5001::/var/vmail/x
empty@example.org:{PLAIN}:5000:5001::/var/vmail/x
des@example.org:ab01FAX.bQRSU:5000:5001::/var/vmail/x
cut@example.org:$1$saltsalt$9xy1:5000:5001::/var/vmail/x
root@example.org:` + secretHash + `:0:5001::/var/vmail/x
wheel@example.org:` + secretHash + `:5000:0::/var/vmail/x
minus@example.org:` + secretHash + `:-1:5001::/var/vmail/x
nobody@example.org:` + secretHash + `:4294967295:5001::/var/vmail/x
name@example.org:` + secretHash + `:vmail:vmail::/var/vmail/x
relative@example.org:` + secretHash + `:5000:5001::vmail/x
short@example.org:` + secretHash + `:5000
joe@example.org:{PLAIN}another:5000:5001::/var/vmail/second
daemon:` + secretHash + `:5000:5001::/var/vmail/daemon
:{PLAIN}x:5000:5001::/var/vmail/x
`

const shadow = `root:` + secretHash + `:20000:0:99999:7:::
daemon:{PLAIN}y:20000:0:99999:7:::
joe:` + secretHash + `:20000:0:99999:7:::
other:{PLAIN}y:20000:0:99999:7:::
star:*:20000:0:99999:7:::
locked:!` + secretHash + `:20000:0:99999:7:::
none::20000:0:99999:7:::
expired:` + secretHash + `:20000:0:99999:7::20781:
tomorrow:` + secretHash + `:20000:0:99999:7::20782:
change:` + secretHash + `:0:0:99999:7:::
old:` + secretHash + `:20000:0:780:7:::
notyet:` + secretHash + `:20000:0:781:7:::
unlimited:` + secretHash + `:20000:::::: 
odd:` + secretHash + `:20000:0:never:7:::
short:` + secretHash + `:20000
homeless:` + secretHash + `:20000:0:99999:7:::
`

func passwords(t *testing.T, mailboxes, shadow string) Passwords {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		return path
	}
	p := Passwords{
		Mailboxes: filepath.Join(dir, "none"),
		Owner:     uint32(os.Geteuid()),
		Account: func(name string) (account.User, error) {
			u := account.User{Name: name, UID: 1000, GID: 1001, Home: "/home/" + name, Shell: "/bin/bash"}
			switch name {
			case "root":
				u.UID, u.GID = 0, 0
			case "homeless":
				return account.User{}, account.ErrUnknown
			}
			return u, nil
		},
		Now: func() time.Time { return now },
	}
	if mailboxes != "" {
		p.Mailboxes = write("passwd", mailboxes)
	}
	if shadow != "" {
		p.Shadow = write("shadow", shadow)
	}
	return p
}

func apop(stamp, password string) string {
	sum := md5.Sum([]byte(stamp + password))
	return hex.EncodeToString(sum[:])
}

func TestCheck(t *testing.T) {
	const unusable = "account is locked or has no usable password: refused"
	const malformed = "malformed entry: refused"
	const zero = "user or group number is 0: refused"
	for _, c := range []struct {
		name, password string
		home           string // where it is right
		refusal        string // else
	}{
		{"joe@example.org", "open sesame", "/var/vmail/joe", ""},
		{"joe@example.org", apop("<1.2@x>", "open sesame"), "/var/vmail/joe", ""},
		{"joe@example.org", strings.ToUpper(apop("<1.2@x>", "open sesame")), "/var/vmail/joe", ""},
		{"joe@example.org", apop("<1.3@x>", "open sesame"), "", "refused"},
		{"joe@example.org", apop("", "open sesame"), "", "refused"},
		{"joe@example.org", "Open sesame", "", "refused"},
		{"joe@example.org", "", "", "refused"},
		{"joe@example.org", "another", "", "refused"},
		{"JOE@EXAMPLE.ORG", "open sesame", "/var/vmail/joe", ""},
		{"ann@example.org", "secret", "/var/vmail/ann", ""},
		{"ann@example.org", secretHash, "", "refused"},
		{"ann@example.org", apop("<1.2@x>", "secret"), "", "refused"},
		{"bob@example.org", "secret", "/var/vmail/bob", ""},
		{"locked@example.org", "secret", "", unusable},
		{"nothing@example.org", "", "", unusable},
		{"empty@example.org", "", "", unusable},
		{"empty@example.org", apop("<1.2@x>", ""), "", unusable},
		{"des@example.org", "x", "", unusable},
		{"cut@example.org", "secret", "", unusable},
		{"root@example.org", "secret", "", zero},
		{"wheel@example.org", "secret", "", zero},
		{"minus@example.org", "secret", "", malformed},
		{"nobody@example.org", "secret", "", malformed},
		{"name@example.org", "secret", "", malformed},
		{"name@example.org", "wrong", "", "refused"},
		{"relative@example.org", "secret", "", malformed},
		{"short@example.org", "secret", "", unusable},
		{"", "x", "", "refused"},
		{"# mailboxes", "", "", "refused"},
		{"daemon", "secret", "/var/vmail/daemon", ""}, // before the system's
		{"daemon", "y", "", "refused"},

		{"joe", "secret", "/home/joe", ""},
		{"joe", "secret ", "", "refused"},
		{"Joe", "secret", "", "refused"},
		{"root", "secret", "", zero},
		{"root", "wrong", "", "refused"},
		{"other", "y", "", unusable},
		{"other", "{PLAIN}y", "", unusable},
		{"star", "*", "", unusable},
		{"locked", "secret", "", unusable},
		{"none", "", "", unusable},
		{"expired", "secret", "", "account has expired: refused"},
		{"expired", "wrong", "", "refused"},
		{"tomorrow", "secret", "/home/tomorrow", ""},
		{"change", "secret", "", "password must be changed: refused"},
		{"old", "secret", "", "password has expired: refused"},
		{"notyet", "secret", "/home/notyet", ""},
		{"unlimited", "secret", "/home/unlimited", ""},
		{"odd", "secret", "", malformed},
		{"short", "secret", "", "refused"},
		{"homeless", "secret", "", "refused"},
		{"unknown", "secret", "", "refused"},
	} {
		login, err := passwords(t, mailboxes, shadow).Check(Record{c.name, c.password, "<1.2@x>"})
		if c.home != "" && (err != nil || login.Home != c.home) {
			t.Errorf("%q, %q: %+v, %v, want %s", c.name, c.password, login, err, c.home)
		}
		if c.home == "" && (!errors.Is(err, ErrRefused) || err.Error() != c.refusal || login != Login{}) {
			t.Errorf("%q, %q: %+v, %v, want %s", c.name, c.password, login, err, c.refusal)
		}
	}
}

func TestLogin(t *testing.T) {
	for name, want := range map[string]Login{
		"ann@example.org": {"ann@example.org", 5000, 5001, "/var/vmail/ann", "/bin/false"},
		"bob@example.org": {"Bob@Example.Org", 5000, 5001, "/var/vmail/bob", "/bin/sh"},
		"joe":             {"joe", 1000, 1001, "/home/joe", "/bin/bash"},
	} {
		if got, err := passwords(t, mailboxes, shadow).Check(Record{Name: name, Password: "secret"}); got != want || err != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestOnlyMailboxes: without the system's secrets its accounts do not exist.
func TestOnlyMailboxes(t *testing.T) {
	p := passwords(t, mailboxes, "")
	if _, err := p.Check(Record{Name: "joe", Password: "secret"}); err != ErrRefused {
		t.Error(err)
	}
	if _, err := p.Check(Record{Name: "ann@example.org", Password: "secret"}); err != nil {
		t.Error(err)
	}
}

// TestDecoy: a name without an entry, or with one that is of no use, costs what
// another one does.
func TestDecoy(t *testing.T) {
	const first = "a:" + bcryptHash + ":1:1::/:\n"
	const locked = "locked:!:1:1::/:\n"
	shadowed := func(name, secret string) string { return name + ":" + secret + ":20000:0:99999:7:::\n" }
	for _, c := range []struct {
		name, mailboxes, shadow string
		decoy                   string
	}{
		{"unknown", "", "", ""},
		{"unknown", locked, "", ""},
		{"unknown", locked + first, "", bcryptHash},
		{"locked", locked + first, "", bcryptHash},
		{"locked", first + locked, "", bcryptHash},
		{"unknown", "", shadowed("x", "*") + shadowed("y", secretHash), secretHash},
		{"x", "", shadowed("x", "*") + shadowed("y", secretHash), secretHash},
		{"unknown", first, shadowed("y", secretHash), secretHash},
		{"unknown", first, shadowed("x", "*"), bcryptHash},
		{"x", first, shadowed("x", "*"), bcryptHash},
		{"a", first, shadowed("x", secretHash), bcryptHash},
	} {
		if e, _ := passwords(t, c.mailboxes, c.shadow).find(c.name); string(e.decoy) != c.decoy {
			t.Errorf("%s in %q and %q: %s", c.name, c.mailboxes, c.shadow, e.decoy)
		}
	}
}

// TestTrouble: what cannot be read is temporary, whoever asks.
func TestTrouble(t *testing.T) {
	r := Record{Name: "joe", Password: "secret"}
	for name, c := range map[string]struct {
		cause func(p *Passwords) error
		want  error
	}{
		"everybody can read":   {func(p *Passwords) error { return os.Chmod(p.Mailboxes, 0o644) }, errUnsafe},
		"the group can write":  {func(p *Passwords) error { return os.Chmod(p.Mailboxes, 0o660) }, errUnsafe},
		"everybody can write":  {func(p *Passwords) error { return os.Chmod(p.Mailboxes, 0o602) }, errUnsafe},
		"somebody else's":      {func(p *Passwords) error { p.Owner++; return nil }, errUnsafe},
		"mailboxes: directory": {func(p *Passwords) error { return errors.Join(os.Remove(p.Mailboxes), os.Mkdir(p.Mailboxes, 0o700)) }, errUnsafe},
		"mailboxes: no such":   {func(p *Passwords) error { p.Mailboxes += "/x"; return nil }, syscall.ENOTDIR},
		"no shadow":            {func(p *Passwords) error { return os.Remove(p.Shadow) }, fs.ErrNotExist},
		"shadow: directory":    {func(p *Passwords) error { return errors.Join(os.Remove(p.Shadow), os.Mkdir(p.Shadow, 0o700)) }, syscall.EISDIR},
		"no password file": {func(p *Passwords) error {
			p.Account = func(string) (account.User, error) { return account.User{}, syscall.EIO }
			return nil
		}, syscall.EIO},
	} {
		p := passwords(t, mailboxes, shadow)
		if err := c.cause(&p); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Check(r); errors.Is(err, ErrRefused) || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestReadRecord(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Record
		err  error
	}{
		{"joe\x00secret\x00<1.2@x>\x00", Record{"joe", "secret", "<1.2@x>"}, nil},
		{"joe\x00secret\x00<1.2@x>\x00more\x00\x00", Record{"joe", "secret", "<1.2@x>"}, nil},
		{"joe\x00secret\x00<1.2", Record{"joe", "secret", "<1.2"}, nil},
		{"joe\x00secret\x00", Record{"joe", "secret", ""}, nil},
		{"\x00\x00\x00", Record{}, nil},
		{"joe\x00" + strings.Repeat("x", 507) + "\x00", Record{"joe", strings.Repeat("x", 507), ""}, nil},
		{"joe\x00" + strings.Repeat("x", 508) + "\x00", Record{}, ErrRefused},
		{strings.Repeat("\x00", 100_000), Record{}, ErrRefused},
		{"joe\x00secret", Record{}, ErrMisused},
		{"joe\x00", Record{}, ErrMisused},
		{"joe", Record{}, ErrMisused},
		{"", Record{}, ErrMisused},
	} {
		if got, err := ReadRecord(strings.NewReader(c.in)); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%.40q: %+v, %v", c.in, got, err)
		}
	}
	if _, err := ReadRecord(broken{}); !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, syscall.EIO }

func TestEnvironment(t *testing.T) {
	l := Login{Name: "joe", Home: "/h", Shell: "/s"}
	got := l.environment([]string{"HOME=/root", "A=b", "USERS=x", "USER=root", "USER=again", "SHELL"})
	if want := []string{"A=b", "USERS=x", "SHELL", "USER=joe", "HOME=/h", "SHELL=/s"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func FuzzReadRecord(f *testing.F) {
	for _, s := range []string{"joe\x00secret\x00<1.2@x>\x00", "\x00\x00", "joe", strings.Repeat("x\x00", 257)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		r, err := ReadRecord(strings.NewReader(in))
		if err == nil && (len(in) > maxRecord || !strings.HasPrefix(in, r.Name+"\x00"+r.Password+"\x00"+r.Stamp)) {
			t.Errorf("%q: %q", in, r)
		}
	})
}

// FuzzEntries: no line makes anybody root, and none that is locked has a password.
func FuzzEntries(f *testing.F) {
	for _, line := range append(strings.SplitAfter(mailboxes, "\n"), strings.SplitAfter(shadow, "\n")...) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		m := parseMailbox(line)
		if m.name != "" && m.refusal == "" && (m.login.UID == 1<<32-1 || m.login.GID == 1<<32-1 || !strings.HasPrefix(m.login.Home, "/")) {
			t.Errorf("%q: %+v", line, m)
		}
		for _, e := range []entry{m, parseShadow(line, now)} {
			if strings.Contains(e.name, ":") || strings.Contains(string(e.secret), ":") {
				t.Errorf("%q: %+v", line, e)
			}
			if s := string(e.secret); e.secret.usable() && !strings.HasPrefix(s, "$") && !strings.HasPrefix(s, "{") {
				t.Errorf("%q: %q is usable", line, s)
			}
		}
	})
}
