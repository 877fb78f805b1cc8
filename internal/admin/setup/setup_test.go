package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"goqmail/internal/admin/config"
	"goqmail/internal/admin/install"
	"goqmail/internal/host/account"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/dns"
)

const home = "/var/qmail"

// people are accounts that are all of the user who runs the test.
type people map[string]bool

func (p people) number(name string, own int) (uint32, error) {
	if !p[name] {
		return 0, account.ErrUnknown
	}
	return uint32(own), nil
}

func (p people) UID(name string) (uint32, error) { return p.number(name, os.Getuid()) }
func (p people) GID(name string) (uint32, error) { return p.number(name, os.Getgid()) }

// silence is a DNS where no server answers; box one that knows the host box.
type silence struct{}

func (silence) Addresses(context.Context, dns.Name) ([]netip.Addr, error) {
	return nil, errors.New("no name server answers")
}
func (silence) Exchangers(context.Context, dns.Name) ([]dns.Exchanger, error) {
	return nil, errors.New("no name server answers")
}
func (silence) Names(context.Context, netip.Addr) ([]string, error) {
	return nil, errors.New("no name server answers")
}

type box struct{ silence }

func (box) Addresses(context.Context, dns.Name) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
}
func (box) Names(context.Context, netip.Addr) ([]string, error) {
	return []string{"Box.Example.Org"}, nil
}

// A machine is the root of one, with nothing of a mail system on it but what there is
// to install.
type machine struct {
	*testing.T
	*Setup
	people people
	ran    []string
}

func newMachine(t *testing.T, files map[string]string) *machine {
	t.Helper()
	m := &machine{T: t, people: people{"root": true}}
	root, sources := t.TempDir(), t.TempDir()
	m.Setup = &Setup{
		Install:  install.Plan{Home: home, DestDir: root, Build: sources + "/build/bin", Sources: sources, Accounts: m.people},
		Machine:  config.Machine{Hostname: "box"},
		Resolver: box{},
		Boot:     "maildir",
		Run:      m.run,
	}
	for path, text := range files {
		m.put(root+path, text)
	}
	for _, dir := range []string{"/usr/sbin", "/usr/bin", "/usr/lib", "/var", "/etc/systemd/system"} {
		m.must(os.MkdirAll(root+dir, 0o755))
	}
	entries, err := m.Install.Entries()
	m.must(err)
	for _, e := range entries {
		if e.Kind == install.Program {
			m.put(m.Install.Build+"/"+filepath.Base(e.Path), "program "+e.Path)
		}
	}
	m.put(sources+"/docs/man/x.1", "page")
	m.put(sources+"/README.md", "document")
	m.put(sources+"/conf-templates/boot/maildir", "#!/bin/sh\nPATH=@QMAIL@/bin\n")
	m.put(sources+"/conf-templates/systemd/qmail-send.service", "ExecStart=@QMAIL@/rc\n")
	return m
}

func (m *machine) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func (m *machine) put(path, text string) {
	m.Helper()
	m.must(os.MkdirAll(filepath.Dir(path), 0o755))
	if target, ok := strings.CutPrefix(text, "-> "); ok {
		m.must(os.Symlink(target, path))
		return
	}
	m.must(os.WriteFile(path, []byte(text), 0o644))
}

// run stands for the commands of the machine.
func (m *machine) run(args ...string) error {
	m.ran = append(m.ran, filepath.Base(args[0])+" "+args[1])
	switch filepath.Base(args[0]) {
	case "accounts.sh":
		for _, name := range slices.Concat(groups, users) {
			m.people[name] = true
		}
	case "userdel", "groupdel":
		delete(m.people, args[1])
	default:
		return fs.ErrNotExist
	}
	return nil
}

// tree is what there is on the machine: of each path its kind and mode, and what is in it.
func (m *machine) tree() map[string]string {
	m.Helper()
	all := map[string]string{}
	m.must(filepath.WalkDir(m.at("/"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := []byte(nil)
		target := ""
		switch {
		case info.Mode().IsRegular():
			text, err = os.ReadFile(path)
		case info.Mode()&fs.ModeSymlink != 0:
			target, err = os.Readlink(path)
		}
		all[strings.TrimPrefix(path, m.Install.DestDir)] = fmt.Sprintf("%v %s%s", info.Mode(), text, target)
		return err
	}))
	return all
}

func (m *machine) steps() []Step {
	m.Helper()
	steps, err := m.Steps(StepNames())
	m.must(err)
	return steps
}

// setUp does all, after which nothing must be left to do.
func (m *machine) setUp() {
	m.Helper()
	m.must(m.Do(m.steps()))
	if steps := m.steps(); Pending(steps) {
		var b strings.Builder
		Show(&b, steps, true)
		m.Errorf("to be done again:\n%s", &b)
	}
}

// undo undoes and returns what was said.
func (m *machine) undo() string {
	m.Helper()
	var b strings.Builder
	m.must(m.Undo(&b, false, false))
	return b.String()
}

// same compares two trees.
func (m *machine) same(got, want map[string]string) {
	m.Helper()
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if got[path] != want[path] {
			m.Errorf("%s: %q, was %q", path, got[path], want[path])
		}
	}
	for _, path := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[path]; !ok {
			m.Errorf("%s is left", path)
		}
	}
}

// TestThereAndBack sets up several machines and takes that back: all is as it was.
func TestThereAndBack(t *testing.T) {
	for name, c := range map[string]struct{ files, want map[string]string }{
		"nothing": {nil, map[string]string{
			"/var/qmail/control/me":                     "-rw-r--r-- box.example.org\n",
			"/var/qmail/control/rcpthosts":              "-rw-r--r-- box.example.org\n",
			"/var/qmail/rc":                             "-rwxr-xr-x #!/bin/sh\nPATH=/var/qmail/bin\n",
			"/var/qmail/alias/.qmail-postmaster":        "-rw-r--r-- ./Maildir/\n",
			"/var/qmail/alias/.qmail-abuse":             "-rw-r--r-- &postmaster\n",
			"/var/qmail/alias/Maildir/new":              "drwx------ ",
			"/var/qmail/bin/qmail-queue":                "urwx--x--x program bin/qmail-queue",
			"/usr/sbin/sendmail":                        "Lrwxrwxrwx /var/qmail/bin/sendmail",
			"/usr/bin/newaliases":                       "Lrwxrwxrwx /var/qmail/bin/newaliases",
			"/etc/systemd/system/qmail-send.service":    "-rw-r--r-- ExecStart=/var/qmail/rc\n",
			"/var/qmail/queue/lock/trigger":             "prw--w--w- ",
			"/var/qmail/setup":                          "drwx------ ",
			"/usr/sbin/sendmail" + ".before-goqmail":    "",
			"/var/qmail/setup/aside":                    "",
			"/etc/systemd/system/qmail-smtpd-each@.not": "",
		}},
		"C qmail": {map[string]string{
			home + "/bin/qmail-send": "program of C", home + "/bin/qmail-remote": "-> qmail-remote.wrapper",
			home + "/control/me": "old.example\n", home + "/rc": "old rc", home + "/alias/.qmail-root": "&joe\n",
			home + "/queue/mess/5/28": "mail", home + "/queue/info/5/28": "Fjoe\x00",
			"/usr/sbin/sendmail": "-> /var/qmail/bin/sendmail", "/usr/lib/sendmail": "-> ../sbin/sendmail",
		}, map[string]string{
			"/var/qmail/control/me":                    "-rw-r--r-- old.example\n",
			"/var/qmail/control/locals":                "",
			"/var/qmail/control/rcpthosts":             "",
			"/var/qmail/rc":                            "-rw-r--r-- old rc",
			"/var/qmail/alias/.qmail-root":             "-rw-r--r-- &joe\n",
			"/var/qmail/bin/qmail-send":                "-rwx--x--x program bin/qmail-send",
			"/var/qmail/setup/aside/bin/qmail-send":    "-rw-r--r-- program of C",
			"/var/qmail/setup/aside/bin/qmail-remote":  "Lrwxrwxrwx qmail-remote.wrapper",
			"/var/qmail/queue/mess/5/28":               "-rw-r--r-- mail",
			"/usr/sbin/sendmail":                       "Lrwxrwxrwx /var/qmail/bin/sendmail",
			"/usr/lib/sendmail":                        "Lrwxrwxrwx /var/qmail/bin/sendmail",
			"/usr/lib/sendmail" + ".before-goqmail":    "Lrwxrwxrwx ../sbin/sendmail",
			"/usr/sbin/sendmail" + ".before-goqmail":   "",
			"/var/qmail/setup/aside/bin/qmail-install": "",
		}},
		"another mail system": {map[string]string{
			"/usr/sbin/sendmail": "program of another", "/usr/bin/mailq": "-> ../sbin/sendmail",
			"/etc/systemd/system/qmail-send.service": "ExecStart=mine\n",
		}, map[string]string{
			"/usr/sbin/sendmail":                     "Lrwxrwxrwx /var/qmail/bin/sendmail",
			"/usr/sbin/sendmail.before-goqmail":      "-rw-r--r-- program of another",
			"/usr/bin/mailq.before-goqmail":          "Lrwxrwxrwx ../sbin/sendmail",
			"/etc/systemd/system/qmail-send.service": "-rw-r--r-- ExecStart=mine\n",
		}},
		"fastforward": {map[string]string{home + "/alias/.qmail-default": "|fastforward -d /etc/aliases.cdb\n"}, map[string]string{
			"/var/qmail/alias/.qmail-postmaster": "", "/var/qmail/alias/.qmail-root": "", "/var/qmail/alias/Maildir": "",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, c.files)
			if name == "C qmail" {
				for _, name := range slices.Concat(groups, users) {
					m.people[name] = true
				}
				m.must(m.Install.InstallDirectories())
			}
			before, had := m.tree(), maps.Clone(m.people)
			m.must(Show(t.Output(), m.steps(), false))
			m.same(m.tree(), before)
			m.setUp()
			tree := m.tree()
			for path, want := range c.want {
				if tree[path] != want {
					t.Errorf("%s: %q, want %q", path, tree[path], want)
				}
			}
			wrong, err := m.Install.Verify()
			if len(wrong) > 0 || err != nil {
				t.Errorf("%v %v", wrong, err)
			}
			said := m.undo()
			m.same(withoutModes(m.tree()), withoutModes(before))
			if strings.Contains(said, "left alone") {
				t.Error(said)
			}
			for _, name := range slices.Concat(groups, users) {
				if m.people[name] != had[name] {
					t.Errorf("account %s: %v, was %v; %q", name, m.people[name], had[name], m.ran)
				}
			}
			if err := m.Undo(t.Output(), false, false); outcome.Of(err) != outcome.Failure {
				t.Errorf("undone twice: %v", err)
			}
		})
	}
}

// withoutModes leaves the modes of directories out, which set-up puts right for good.
func withoutModes(tree map[string]string) map[string]string {
	for path, text := range tree {
		if text[0] == 'd' {
			tree[path] = "directory"
		}
	}
	return tree
}

// TestUndoLeaves undoes a set-up with what has come to the machine since.
func TestUndoLeaves(t *testing.T) {
	for name, c := range map[string]struct {
		since map[string]string
		left  []string // has to be there
		said  string
	}{
		"a control file was changed": {map[string]string{home + "/control/me": "mine\n"}, []string{home + "/control/me"}, home + "/control/me: it was changed since"},
		"there is mail":              {map[string]string{home + "/queue/mess/5/28": "mail"}, []string{home + "/queue/mess/5/28", home + "/queue/lock/trigger", home + "/queue/mess/22"}, "others: there is mail in the queue"},
		"postmaster has mail":        {map[string]string{home + "/alias/Maildir/new/1": "mail"}, []string{home + "/alias/Maildir/new/1"}, home + "/alias/Maildir/new: there is something in it"},
		"an old file and a new one":  {map[string]string{home + "/bin/qmail-send": "mine"}, []string{home + "/bin/qmail-send", home + "/setup/aside/bin/qmail-send"}, home + "/bin/qmail-send: the old one stays at"},
	} {
		t.Run(name, func(t *testing.T) {
			old := map[string]string{}
			if strings.Contains(c.said, "old one") {
				old[home+"/bin/qmail-send"] = "program of C"
			}
			m := newMachine(t, old)
			m.setUp()
			for path, text := range c.since {
				os.Remove(m.at(path))
				m.put(m.at(path), text)
			}
			said := m.undo()
			if !strings.Contains(said, c.said) {
				t.Errorf("%s, want %s", said, c.said)
			}
			tree := m.tree()
			for _, path := range c.left {
				if tree[path] == "" {
					t.Errorf("%s is gone", path)
				}
			}
			if !m.people["qmailq"] || !m.people["nofiles"] {
				t.Error("accounts are gone")
			}
			for path := range c.since {
				m.must(os.Remove(m.at(path)))
			}
			if said := m.undo(); strings.Contains(said, "left alone") || m.people["qmailq"] {
				t.Errorf("second time: %s", said)
			}
			for path := range m.tree() {
				if strings.HasPrefix(path, "/var/qmail/") && len(old) == 0 {
					t.Errorf("%s is left", path)
				}
			}
		})
	}
}

func TestUndoDry(t *testing.T) {
	m := newMachine(t, map[string]string{home + "/bin/qmail-send": "program of C"})
	m.setUp()
	before := m.tree()
	var b strings.Builder
	m.must(m.Undo(&b, true, true))
	m.same(m.tree(), before)
	if !strings.Contains(b.String(), "undone: link /usr/sbin/sendmail to") || !m.people["qmailq"] {
		t.Error(b.String())
	}
}

// TestUpgrade sets up with newer programs: ours are replaced, what an admin has put
// there is kept.
func TestUpgrade(t *testing.T) {
	m := newMachine(t, nil)
	m.setUp()
	m.put(m.Install.Build+"/qmail-send", "new")
	m.put(m.Install.Build+"/qmail-local", "new")
	m.put(m.at(home+"/bin/qmail-local"), "mine")
	m.put(m.at(home+"/control/locals"), "mine\n")
	m.setUp()
	tree := m.tree()
	for path, want := range map[string]string{
		"bin/qmail-send": "new", "bin/qmail-local": "new", "control/locals": "mine\n",
		"setup/aside/bin/qmail-local": "mine", "setup/aside/bin/qmail-send": "",
	} {
		if _, text, _ := strings.Cut(tree[home+"/"+path], " "); text != want {
			t.Errorf("%s: %q, want %q", path, text, want)
		}
	}
	// Newest first: ours goes, the admin's is back, and is not ours.
	said := m.undo()
	if strings.Count(said, "left alone: "+home+"/control/locals") != 1 || strings.Contains(said, "qmail-send") {
		t.Error(said)
	}
	if text, _ := os.ReadFile(m.at(home + "/bin/qmail-local")); string(text) != "mine" {
		t.Errorf("%q", text)
	}
}

// TestInterrupted stops set-up at each step, and undoes what was done.
func TestInterrupted(t *testing.T) {
	for i, name := range StepNames() {
		m := newMachine(t, map[string]string{"/usr/sbin/sendmail": "program of another"})
		before := m.tree()
		steps := m.steps()
		steps[i].finish = func() error { return errors.New("power cut") }
		for n := range steps[i].Changes {
			if n > 0 {
				steps[i].Changes[n].do = nil
			}
		}
		if err := m.Do(steps); err == nil || !strings.HasPrefix(err.Error(), name+": power cut") {
			t.Errorf("%s: %v", name, err)
		}
		m.undo()
		m.same(withoutModes(m.tree()), withoutModes(before))
	}
}

func TestIdentity(t *testing.T) {
	known, alone := config.Machine{Hostname: "box"}, config.Machine{Hostname: "BOX.local.example"}
	for name, c := range map[string]struct {
		setup Setup
		hosts string
		want  string // of me, or of the error
	}{
		"given":            {Setup{Me: "mail.example.net", Resolver: silence{}}, "", "mail.example.net"},
		"by DNS":           {Setup{Machine: known, Resolver: box{}}, "", "box.example.org"},
		"by /etc/hosts":    {Setup{Machine: known, Resolver: silence{}}, "127.0.0.1 localhost\n127.0.1.1 box Box.Example.COM # box.x\n", "box.example.com"},
		"by itself":        {Setup{Machine: alone, Resolver: silence{}}, "", "box.local.example"},
		"not at all":       {Setup{Machine: known, Resolver: silence{}}, "127.0.0.1 localhost.localdomain box2\n127.0.0.1 box\n", "give one with -me"},
		"without a name":   {Setup{Resolver: silence{}}, "", "give one with -me"},
		"no possible name": {Setup{Me: "a b"}, "", "not the name of a host"},
	} {
		m := newMachine(t, map[string]string{"/etc/hosts": c.hosts})
		m.Me, m.Machine, m.Resolver = c.setup.Me, c.setup.Machine, c.setup.Resolver
		steps, err := m.Steps([]string{"control"})
		if err != nil {
			if !strings.Contains(err.Error(), c.want) || outcome.Of(err) != outcome.Failure {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		last := steps[0].Changes[len(steps[0].Changes)-1]
		if want := "write /var/qmail/control/me: " + c.want; last.String() != want {
			t.Errorf("%s: %s, want %s", name, last, want)
		}
	}
}

func TestRefuses(t *testing.T) {
	for name, change := range map[string]func(*machine){
		"root for postmaster":       func(m *machine) { m.Postmaster = "root" },
		"a command for postmaster":  func(m *machine) { m.Postmaster = "joe\n|rm" },
		"a path for a boot script":  func(m *machine) { m.Boot = "../accounts.sh" },
		"no sources, no accounts":   func(m *machine) { m.Install.Sources = "" },
		"a record that is none":     func(m *machine) { m.put(m.at(home+"/setup/record"), "file\tx\n") },
		"programs that are missing": func(m *machine) { m.must(os.Remove(m.Install.Build + "/qmail-send")) },
		"a boot script that is not": func(m *machine) { m.Boot = "no" },
	} {
		m := newMachine(t, nil)
		change(m)
		if _, err := m.Steps(StepNames()); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	m := newMachine(t, nil)
	if _, err := m.Steps([]string{"no"}); outcome.Of(err) != outcome.Failure {
		t.Error(err)
	}
	m.Postmaster = "joe+x@example.org"
	if _, err := m.Steps(StepNames()); err != nil {
		t.Error(err)
	}
}

func TestShow(t *testing.T) {
	m := newMachine(t, map[string]string{"/usr/sbin/sendmail": "another"})
	var short, all strings.Builder
	m.must(Show(&short, m.steps(), false))
	m.must(Show(&all, m.steps(), true))
	for text, want := range map[string]string{
		short.String(): " directories\n    make /var/qmail/queue/lock/tcpto\n",
		all.String():   "    make the directory /var/qmail/queue/mess/22\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if want := "    keep the old /usr/sbin/sendmail as /usr/sbin/sendmail.before-goqmail\n    link /usr/sbin/sendmail to /var/qmail/bin/sendmail\n"; !strings.Contains(short.String(), want) {
		t.Error(short.String())
	}
}

func TestFrom(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"/srv/mail/bin", "/var"} {
		if err := os.MkdirAll(root+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(root+"/srv/mail", root+home); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ program, sources, wantBuild, wantSources string }{
		{root + "/srv/mail/bin/qmail-setup", "", "", ""},
		{"/src/goqmail/build/bin/qmail-setup", "", "/src/goqmail/build/bin", "/src/goqmail"},
		{"/tmp/bin/qmail-setup", "/src/goqmail", "/tmp/bin", "/src/goqmail"},
		{"/usr/bin/qmail-setup", "", "/usr/bin", "/"},
	} {
		s := Setup{Install: install.Plan{Home: home, DestDir: root, Sources: c.sources}}
		if err := s.From(c.program); err != nil || s.Install.Build != c.wantBuild || s.Install.Sources != c.wantSources {
			t.Errorf("%s: %v, %q, %q", c.program, err, s.Install.Build, s.Install.Sources)
		}
	}
}

// TestUndoTalk: what qmail-send has made for qmail-queuectl goes, also from a queue that
// stays.
func TestUndoTalk(t *testing.T) {
	m := newMachine(t, nil)
	m.setUp()
	m.put(m.at(home+"/"+talkDir+"/socket"), "")
	m.put(m.at(home+"/"+talkDir+"/paused"), "example.org\n")
	m.put(m.at(home+"/queue/mess/5/28"), "mail")
	m.undo()
	tree := m.tree()
	if tree[home+"/"+talkDir] != "" || tree[home+"/queue/mess/5/28"] == "" {
		t.Errorf("%q", tree)
	}
}
