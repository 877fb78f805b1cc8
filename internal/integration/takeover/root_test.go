// Package takeover sets mail servers up on roots of Debian, as an admin would: from the
// package to a message that is delivered and fetched by POP3, and by the take-over
// guides in docs, of which each command is carried out.
//
// The roots come from debootstrap, in the directory that GOQMAIL_DEBIAN names (roots.sh,
// make takeover). Each test has one of its own, an overlay in memory over that, in
// namespaces with no network but loopback: nothing is left behind.
package takeover

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/integration/site"

	"golang.org/x/sys/unix"
)

// rootsVariable names the directory with the roots.
const rootsVariable = "GOQMAIL_DEBIAN"

// patience is how long a test waits for what must happen.
const patience = time.Minute

// built is where the programs and packages are, inside.
var built string

func TestMain(m *testing.M) {
	if os.Getenv(rootsVariable) == "" {
		os.Exit(m.Run())
	}
	site.Namespaces(m, build, func(dir string) error {
		built = dir
		return site.Separate()
	})
}

// build makes two versions of the package, and a tarball.
func build(dir string) error {
	source, err := site.Sources()
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"deb", "tarball", "VERSION=0.4"}, {"-o", "all", "deb", "VERSION=0.5"},
	} {
		cmd := exec.Command("make", append([]string{"-s", "-C", source, "BUILD=" + dir + "/bin", "OUT=" + dir, "PACKFLAGS=-compress gzip"}, args...)...)
		cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1700000000")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("make %q: %w\n%s", args, err, out)
		}
	}
	return nil
}

// A root is a machine for one test.
type root struct {
	*testing.T
	dir string
}

// newRoot puts an overlay over one of the roots. The older package and the tarball are
// in /root, and all that was built in /packages.
func newRoot(t *testing.T, kind string) *root {
	t.Helper()
	roots := os.Getenv(rootsVariable)
	if roots == "" {
		t.Skip("needs roots of Debian made by debootstrap: make takeover, or " + rootsVariable)
	}
	site.Skip(t)
	base := "/mnt/" + t.Name()
	r := &root{t, base + "/root"}
	for _, dir := range []string{"up", "work", "root"} {
		r.must(os.MkdirAll(base+"/"+dir, 0o755))
	}
	r.must(unix.Mount("root", r.dir, "overlay", 0, "lowerdir="+roots+"/"+kind+",upperdir="+base+"/up,workdir="+base+"/work"))
	t.Cleanup(func() {
		r.killAll()
		r.must(unix.Unmount(r.dir, unix.MNT_DETACH))
		r.must(os.RemoveAll(base))
	})
	r.must(unix.Mount("proc", r.dir+"/proc", "proc", 0, ""))
	r.must(unix.Mount("/dev", r.dir+"/dev", "", unix.MS_BIND, ""))
	r.must(os.Mkdir(r.at("/packages"), 0o755))
	r.must(unix.Mount(built, r.at("/packages"), "", unix.MS_BIND, ""))
	packages, err := filepath.Glob(built + "/goqmail?0.4*")
	r.must(err)
	for _, p := range packages {
		r.must(os.Symlink("/packages/"+filepath.Base(p), r.at("/root/"+filepath.Base(p))))
	}
	r.write("/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 host.example.org host\n")
	r.write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
	r.write("/usr/local/bin/systemctl", systemctl)
	r.must(os.Chmod(r.at("/usr/local/bin/systemctl"), 0o755))
	return r
}

// killAll ends the processes of this root.
func (r *root) killAll() {
	for range 100 {
		alive := false
		roots, _ := filepath.Glob("/proc/[0-9]*/root")
		for _, path := range roots {
			if at, err := os.Readlink(path); err == nil && at == r.dir {
				var pid int
				fmt.Sscanf(path, "/proc/%d/", &pid)
				syscall.Kill(pid, syscall.SIGKILL)
				alive = true
			}
		}
		if !alive {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (r *root) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// at is where a path of the root is.
func (r *root) at(path string) string { return filepath.Join(r.dir, path) }

func (r *root) write(path, text string) {
	r.Helper()
	r.must(os.MkdirAll(filepath.Dir(r.at(path)), 0o755))
	r.must(os.WriteFile(r.at(path), []byte(text), 0o644))
}

func (r *root) read(path string) string {
	text, err := os.ReadFile(r.at(path))
	if err != nil && !os.IsNotExist(err) {
		r.Error(err)
	}
	return string(text)
}

func (r *root) exists(path string) bool {
	_, err := os.Lstat(r.at(path))
	return err == nil
}

// command prepares a program of the root.
func (r *root) command(args ...string) *exec.Cmd {
	cmd := exec.Command("/usr/sbin/chroot", append([]string{r.dir}, args...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "DEBIAN_FRONTEND=noninteractive"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// sh runs shell commands, in /root, and wants them to succeed. What they say is
// returned. They may leave something running.
func (r *root) sh(script string) string {
	r.Helper()
	out, err := os.CreateTemp("", "takeover")
	r.must(err)
	defer os.Remove(out.Name())
	defer out.Close()
	cmd := r.command("/bin/sh", "-ec", "cd /root\n"+script)
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	said, _ := os.ReadFile(out.Name())
	if err != nil {
		r.Fatalf("%v:\n%s\n%s", err, script, said)
	}
	return string(said)
}

// wants checks what a command said.
func (r *root) wants(said string, texts ...string) {
	r.Helper()
	for _, text := range texts {
		if !strings.Contains(said, text) {
			r.Errorf("no %q in\n%s", text, said)
		}
	}
}

// eventually waits until something holds.
func (r *root) eventually(what string, holds func() bool) {
	r.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			logs, _ := filepath.Glob(r.at("/var/log/*.log"))
			for _, log := range logs {
				text, _ := os.ReadFile(log)
				r.Logf("%s:\n%s", log, bytes.TrimSpace(text))
			}
			r.Fatalf("waited in vain for %s", what)
		}
	}
}

// mail waits for a message with a text in a maildir, and returns it.
func (r *root) mail(maildir, text string) (message string) {
	r.Helper()
	r.eventually(text+" in "+maildir, func() bool {
		files, _ := filepath.Glob(r.at(maildir) + "/new/*")
		for _, f := range files {
			b, _ := os.ReadFile(f)
			if bytes.Contains(b, []byte(text)) {
				message = string(b)
				return true
			}
		}
		return false
	})
	return message
}

// queued counts the messages in the queue.
func (r *root) queued() int {
	files, _ := filepath.Glob(r.at("/var/qmail/queue/mess/*/*"))
	return len(files)
}

// systemctl stands for systemd, which is not there: it starts what ExecStart of a unit
// says, with a listening address for a socket, and ends it.
const systemctl = `#!/bin/sh
command=$1
shift
mkdir -p /run/units
stop() {
	pid=$(cat "/run/units/$1" 2>/dev/null) || return 0
	kill "$pid" 2>/dev/null
	while [ -n "$(readlink "/proc/$pid/exe")" ]; do sleep 0.05; done
	rm "/run/units/$1"
}
for unit; do
	name=${unit%.*}
	case $command in
	stop) stop "$name" ;;
	start | restart)
		stop "$name"
		line=$(cat "/usr/lib/systemd/system/$name.service" "/etc/systemd/system/$name.service" "/etc/systemd/system/$name.service.d/"*.conf 2>/dev/null |
			sed -n 's/^ExecStart=//p' | tail -n 1)
		[ -n "$line" ] || { echo "no $unit" >&2; exit 1; }
		case $unit in *.socket) line="$line -a :25" ;; esac
		printf 'exec env PATH=/var/qmail/bin:/usr/bin:/bin %b\n' "$line" >/run/units/start
		setsid sh /run/units/start >>"/var/log/$name.log" 2>&1 </dev/null &
		echo $! >"/run/units/$name"
		sleep 0.2
		;;
	esac
done
`
