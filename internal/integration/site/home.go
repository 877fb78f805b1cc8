package site

import (
	"os"
	"path/filepath"
	"testing"

	"goqmail/internal/admin/install"
	"goqmail/internal/host/account"
)

// A Site is the installation, for one test.
type Site struct {
	t testing.TB
}

// New puts the installation into its first state: control holds nothing but
// me = host.example.org, users, alias and the queue are empty, and the homes of
// joe, ann and bob are new and empty.
func New(t testing.TB) *Site {
	t.Helper()
	Skip(t)
	s := &Site{t}
	for _, dir := range []string{"control", "users", "alias", "queue"} {
		s.must(os.RemoveAll(filepath.Join(Home, dir)))
	}
	s.must(os.RemoveAll("/mnt/home"))
	s.must(install.Plan{Home: Home, Accounts: install.NewSystemAccounts()}.InstallDirectories())
	s.must(os.Mkdir("/mnt/home", 0o755))
	for u := range Users {
		a := Account(u)
		s.must(os.Mkdir(a.Home, 0o755))
		s.must(os.Chown(a.Home, int(a.UID), int(a.GID)))
	}
	s.Control("me", "host.example.org\n")
	return s
}

// Install puts all of our own programs into bin, as New finds them there.
func (s *Site) Install() {
	s.t.Helper()
	source, err := Sources()
	s.must(err)
	s.must(install.Plan{Home: Home, Build: os.Getenv(buildVariable), Sources: source, Accounts: install.NewSystemAccounts()}.Install())
}

// Account is a user inside the site.
func Account(name string) account.User {
	u, err := account.LookupUser(name)
	if err != nil {
		panic(err)
	}
	return u
}

// Control writes a control file.
func (s *Site) Control(name, text string) {
	s.t.Helper()
	s.must(os.WriteFile(filepath.Join(Home, "control", name), []byte(text), 0o644))
}

// UserFile writes a file in a user's home, as that user would.
func (s *Site) UserFile(user, name, text string, mode os.FileMode) string {
	s.t.Helper()
	a := Account(user)
	path := filepath.Join(a.Home, name)
	s.must(os.WriteFile(path, []byte(text), mode))
	s.must(os.Chown(path, int(a.UID), int(a.GID)))
	s.must(os.Chmod(path, mode))
	return path
}

// Maildir makes an empty maildir in a user's home.
func (s *Site) Maildir(user, name string) string {
	s.t.Helper()
	a := Account(user)
	dir := filepath.Join(a.Home, name)
	for _, sub := range []string{"", "tmp", "new", "cur"} {
		s.must(os.Mkdir(filepath.Join(dir, sub), 0o700))
		s.must(os.Chown(filepath.Join(dir, sub), int(a.UID), int(a.GID)))
	}
	return dir
}

// Read returns what is in a file, or nothing where there is none.
func (s *Site) Read(path string) string {
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	return string(text)
}

// ReadDir returns the texts of the files in a directory.
func (s *Site) ReadDir(dir string) []string {
	entries, err := os.ReadDir(dir)
	s.must(err)
	var texts []string
	for _, e := range entries {
		texts = append(texts, s.Read(filepath.Join(dir, e.Name())))
	}
	return texts
}

// QueueFiles lists what is in the queue, such as "mess/5/28".
func (s *Site) QueueFiles() []string {
	var files []string
	for _, pattern := range []string{"pid/*", "intd/*", "todo/*", "bounce/*", "mess/*/*", "info/*/*", "local/*/*", "remote/*/*"} {
		found, _ := filepath.Glob(filepath.Join(Home, "queue", pattern))
		for _, f := range found {
			rel, _ := filepath.Rel(filepath.Join(Home, "queue"), f)
			files = append(files, rel)
		}
	}
	return files
}

func (s *Site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}
