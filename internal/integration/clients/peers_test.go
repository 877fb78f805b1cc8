package clients

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"goqmail/internal/integration/site"

	"golang.org/x/sys/unix"
)

// peersVariable names a directory that .ci/peers has made.
const peersVariable = "GOQMAIL_PEERS"

// peers puts the programs in that directory over those of the machine, inside the
// namespaces of the site.
var peers = sync.OnceValue(func() error {
	usr := os.Getenv(peersVariable) + "/usr"
	return unix.Mount("peers", "/usr", "overlay", unix.MS_RDONLY, "lowerdir="+usr+":/usr")
})

// tool finds a program of somebody else's.
func tool(t *testing.T, name string) string {
	t.Helper()
	if site.Inside() && os.Getenv(peersVariable) != "" {
		if err := peers(); err != nil {
			t.Fatalf("%s: %v", peersVariable, err)
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("needs %s, which is not installed (.ci/peers)", name)
	}
	return path
}

// command prepares somebody else's program as a user's.
func command(user, stdin string, argv ...string) *exec.Cmd {
	a := site.Account(user)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = a.Home
	cmd.Env = []string{"HOME=" + a.Home, "USER=" + user, "LOGNAME=" + user, "TERM=dumb", "LC_ALL=C",
		"PATH=" + site.Home + "/bin:" + os.Getenv("PATH")}
	cmd.Stdin = strings.NewReader(stdin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: a.UID, Gid: a.GID}}
	return cmd
}

// run runs somebody else's program as joe and wants it to succeed.
func run(t *testing.T, stdin string, argv ...string) string {
	t.Helper()
	cmd := command("joe", stdin, argv...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", argv[0], err, out.String())
	}
	return out.String()
}

// listening waits for somebody to listen on a port of the site.
func listening(s *site.Site, port string) {
	s.Eventually("a listener on port "+port, func() bool {
		return exec.Command("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/"+port).Run() == nil
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
