// Package site gives process tests an installation of goqmail that nobody else
// sees: real programs, real users, real pipes and signals.
//
//	func TestMain(m *testing.M) { site.Main(m) }
//
// Main builds the programs, then runs the test binary again as the first process
// of new mount, pid, network and host name namespaces, with a tmpfs on /mnt, its
// own /etc/passwd, group, hosts and resolv.conf, and a network of nothing but
// the loopback device. So tests need no port, account or directory of the
// machine, and leave nothing behind: every process, mount and file goes with the
// namespaces.
//
// New gives a test the installation in its first state. There is one home, so
// tests do not run in parallel. Without root, or where the kernel refuses
// namespaces, New skips the test and says why.
package site

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/admin/install"

	"golang.org/x/sys/unix"
)

// Home is where the installation is, inside the namespaces. A test that wants
// the home of an installed qmail sets it before Main; what was there is then to
// be seen in Aside.
var Home = "/mnt/qmail"

// Aside is where a tmpfs over Home has put the programs of the installation that
// it hides.
const Aside = "/mnt/aside"

const (
	stageVariable = "GOQMAIL_SITE_STAGE"
	buildVariable = "GOQMAIL_SITE_BUILD"
)

// skipped is why there is no site; empty inside one.
var skipped = "needs root: it runs programs under several users in namespaces of its own"

// Inside tells whether this process is in the namespaces of the site.
func Inside() bool { return skipped == "" }

// Main is the TestMain of a package of process tests.
func Main(m *testing.M) { Namespaces(m, buildPrograms, enter) }

// Namespaces is the TestMain of tests that want a world of another kind: prepare makes
// what they need in a directory, on the machine; enter does the rest in new
// namespaces, before the tests run there.
func Namespaces(m *testing.M, prepare, enter func(dir string) error) {
	switch {
	case os.Getenv(stageVariable) != "":
		if err := enter(os.Getenv(buildVariable)); err != nil {
			fmt.Fprintln(os.Stderr, "site:", err)
			os.Exit(1)
		}
		skipped = ""
		os.Exit(m.Run())
	case os.Geteuid() != 0:
		os.Exit(m.Run())
	}
	if build := os.Getenv(buildVariable); build != "" { // Again
		os.Exit(outside(m, build, func(string) error { return nil }))
	}
	build, err := os.MkdirTemp("", "goqmail-site")
	if err != nil {
		fmt.Fprintln(os.Stderr, "site:", err)
		os.Exit(1)
	}
	code := outside(m, build, prepare)
	os.RemoveAll(build)
	os.Exit(code)
}

// outside prepares what is needed and runs this test binary inside.
func outside(m *testing.M, build string, prepare func(dir string) error) int {
	if err := prepare(build); err != nil {
		fmt.Fprintln(os.Stderr, "site:", err)
		return 1
	}
	inside := exec.Command("/proc/self/exe", os.Args[1:]...)
	inside.Args[0] = os.Args[0]
	inside.Stdin, inside.Stdout, inside.Stderr = os.Stdin, os.Stdout, os.Stderr
	inside.Env = append(os.Environ(), stageVariable+"=1", buildVariable+"="+build)
	inside.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	err := inside.Start()
	if err != nil {
		skipped = fmt.Sprintf("needs namespaces: %v", err)
		return m.Run()
	}
	inside.Wait()
	return max(inside.ProcessState.ExitCode(), 0)
}

// Programs is the directory that the programs of this site were built in.
func Programs() string { return os.Getenv(buildVariable) }

// Again is this test binary with other arguments, in a new site with the programs of
// another directory.
func Again(programs string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), stageVariable+"=", buildVariable+"="+programs)
	return cmd
}

// buildPrograms builds everything below cmd.
func buildPrograms(dir string) error { return Build(dir, "goqmail/cmd/...") }

// Build builds programs for Home, with further flags before their packages. With
// GOCOVERDIR set the programs count coverage into it.
func Build(dir string, what ...string) error {
	flags := "-s -w -X goqmail/internal/host/home.compiled=" + Home
	var cover []string
	if os.Getenv("GOCOVERDIR") != "" {
		cover = []string{"-cover", "-coverpkg=goqmail/..."}
		flags += " -X goqmail/internal/host/confine.disabled=true" // the counts are written at the end
	}
	args := append([]string{"build", "-ldflags", flags, "-o", dir + "/"}, cover...)
	cmd := exec.Command("go", append(args, what...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// enter sets the namespaces up and installs.
func enter(build string) error {
	source, err := Sources()
	if err != nil {
		return err
	}
	return do([]step{
		{"separate", Separate},
		{"mount " + Home, hideInstalled},
		{"write /etc", writeEtc},
		{"install", func() error {
			return install.Plan{Home: Home, Build: build, Sources: source, Accounts: install.NewSystemAccounts()}.Install()
		}},
	})
}

// Separate is what enter does first: nothing that is mounted from now on is seen
// outside, /proc shows the processes of the namespace, /mnt is an empty filesystem, and
// the network is the loopback device.
func Separate() error {
	return do([]step{
		{"make mounts private", func() error { return unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }},
		{"mount /proc", func() error { return unix.Mount("proc", "/proc", "proc", 0, "") }},
		{"mount /mnt", func() error { return unix.Mount("site", "/mnt", "tmpfs", 0, "mode=0755") }},
		{"set host name", func() error { return unix.Sethostname([]byte("host")) }},
		{"bring up lo", loopbackUp},
	})
}

type step struct {
	what string
	do   func() error
}

func do(steps []step) error {
	for _, s := range steps {
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	return nil
}

// Skip skips a test where there are no namespaces.
func Skip(t testing.TB) {
	t.Helper()
	if skipped != "" {
		t.Skip(skipped)
	}
}

// hideInstalled copies the programs of an installed qmail aside, and puts a
// tmpfs over it.
func hideInstalled() error {
	if _, err := os.Stat(Home); err != nil {
		return nil
	}
	if err := os.CopyFS(Aside, os.DirFS(Home+"/bin")); err != nil {
		return err
	}
	return unix.Mount("site", Home, "tmpfs", 0, "mode=0755")
}

// Sources finds the top of the source tree from the package's directory.
func Sources() (string, error) {
	dir, err := os.Getwd()
	for ; err == nil && dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no go.mod above the test")
}

// Users that tests deliver to, and their numbers. Each has a group of its own
// and a home below /mnt/home.
var Users = map[string]uint32{"joe": 47001, "ann": 47002, "bob": 47003}

// writeEtc puts files of our own over those of the machine.
func writeEtc() error {
	passwd := strings.Builder{}
	group := strings.Builder{}
	passwd.WriteString("root:x:0:0:root:/root:/bin/sh\n")
	group.WriteString("root:x:0:\nqmail:x:46001:\nnofiles:x:46002:\n")
	for i, u := range []string{"alias", "qmaild", "qmaill", "qmailp", "qmailq", "qmailr", "qmails"} {
		gid, home := 46002, Home
		switch u {
		case "alias":
			home = Home + "/alias"
		case "qmailq", "qmailr", "qmails":
			gid = 46001
		}
		fmt.Fprintf(&passwd, "%s:x:%d:%d::%s:/usr/sbin/nologin\n", u, 46001+i, gid, home)
	}
	for u, n := range Users {
		fmt.Fprintf(&passwd, "%s:x:%d:%d:%s:/mnt/home/%s:/bin/sh\n", u, n, n, u, u)
		fmt.Fprintf(&group, "%s:x:%d:\n", u, n)
	}
	if err := os.Mkdir("/mnt/etc", 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"passwd": passwd.String(), "group": group.String(),
		"hosts":       "127.0.0.1 localhost host\n",
		"resolv.conf": "nameserver 127.0.0.53\noptions timeout:1 attempts:1\n",
	} {
		file := "/mnt/etc/" + name
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
		if err := unix.Mount(file, "/etc/"+name, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("/etc/%s: %w", name, err)
		}
	}
	return nil
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}
