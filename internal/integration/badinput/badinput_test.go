// Package badinput runs the programs of administrators, and those that speak POP3,
// QMTP and QMQP, as they should not be: with wrong arguments, with files that are
// missing, empty, huge, binary, closed or no files, without descriptors, on a full
// disk. Each says what is the matter, with the exit code that its manual tells, and
// what was there before is there still. Those that live in .qmail files are in package
// dotqmail, qmail-checkpassword's descriptor 3 in package retrieve.
package badinput

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"goqmail/internal/integration/site"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { site.Main(m) }

// A row is a run of a shell script in the home, by root unless it says otherwise.
type row struct {
	name   string
	cause  string // what root does before
	as     string
	script string
	code   int
	says   string // regular expression for all that is printed
}

// prepare is what each row finds: tables that are in use.
const prepare = `
echo '=joe:joe:47001:47001:/mnt/home/joe:::
.' >users/assign
echo old.example.org >control/morercpthosts
qmail-newu && qmail-newmrh
cp users/cdb /mnt/users.cdb
cp control/morercpthosts.cdb /mnt/morercpthosts.cdb
`

// kept are the tables that a failure must not change.
var kept = map[string]string{
	"users/cdb":                 "/mnt/users.cdb",
	"control/morercpthosts.cdb": "/mnt/morercpthosts.cdb",
}

func TestBadInput(t *testing.T) {
	for _, c := range rows {
		t.Run(c.name, func(t *testing.T) {
			s := site.New(t)
			t.Cleanup(func() {
				for _, dir := range []string{"users", "control", "away"} {
					unix.Unmount(filepath.Join(site.Home, dir), unix.MNT_DETACH)
				}
			})
			must(t, os.RemoveAll(site.Home+"/away"))
			if r := s.Run(site.Command{Program: "/bin/sh", Args: []string{"-e", "-c", prepare + c.cause}}); r.Code != 0 {
				t.Fatalf("cause: %s", r.Stderr)
			}
			r := s.Run(site.Command{Program: "/bin/sh", Args: []string{"-c", "ulimit -t 10; " + c.script}, As: c.as})
			if r.Code != c.code || r.Signal != 0 || !regexp.MustCompile(c.says).MatchString(r.Stdout+r.Stderr) {
				t.Errorf("exit code %d, signal %v, %q; want %d, %s", r.Code, r.Signal, r.Stdout+r.Stderr, c.code, c.says)
			}
			if r.MaxRSS > 100<<20 {
				t.Errorf("%d bytes of memory", r.MaxRSS)
			}
			for file, copy := range kept {
				dir := filepath.Dir(file)
				if strings.Contains(c.cause, "mv "+dir) || strings.Contains(c.cause, file) {
					continue
				}
				if s.Read(filepath.Join(site.Home, file)) != s.Read(copy) {
					t.Errorf("%s has changed", file)
				}
				if left, _ := filepath.Glob(filepath.Join(site.Home, dir, "*tmp*")); len(left) > 0 && !strings.Contains(c.cause, "tmp") {
					t.Errorf("left %v", left)
				}
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
