package getpw

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"goqmail/internal/host/account"
	"goqmail/internal/host/child"
	"goqmail/internal/host/reread"

	"golang.org/x/sys/unix"
)

// A Directory is what nsswitch.conf(5) names as sources of accounts besides the
// password file: LDAP, NIS and so on. They are asked by getent(1), a process for
// each name, since no library of theirs is to be loaded here. Where nsswitch.conf
// names none, nothing is asked. It may be used by several goroutines.
//
// getent says of a directory that does not answer what it says of a name that does
// not exist. So after such an answer each service that depends on the network is
// asked for alias, with the password file to fall back upon only if the service
// says that it knows nobody of that name:
//
//	getent -s 'passwd:ldap [UNAVAIL=return TRYAGAIN=return] files' passwd alias
type Directory struct {
	// Run runs getent, and returns the beginning of its output and its exit code.
	// An error means that it did not run to its end.
	Run func(args ...string) (output []byte, code int, err error)

	mu    sync.Mutex
	nss   reread.File[[]string]
	known string // an account of the password file
}

// NSSConfig is where the services are configured.
const NSSConfig = "/etc/nsswitch.conf"

// NewDirectory asks the services in the file nss.
func NewDirectory(nss string) *Directory {
	return &Directory{Run: getent, known: Alias, nss: reread.File[[]string]{
		Path: nss,
		Make: func(f *os.File, size int64) ([]string, error) {
			text, err := reread.Text(maxNSS)(f, size)
			return services(string(text)), err
		},
	}}
}

const (
	maxNSS     = 1 << 20          // the largest nsswitch.conf, in bytes
	maxLine    = 64 << 10         // the longest answer of getent
	patience   = 60 * time.Second // for an answer
	unknownKey = 2                // exit code of getent, for a name that is not found
)

// local lists services that know nobody who gets mail and is not in the password
// file, and remote those that can fail to answer.
var (
	local  = []string{"files", "systemd", "mymachines"}
	remote = []string{"ldap", "sss", "winbind", "nis", "nisplus", "hesiod"}
)

// sssPipe exists where sssd runs, which many machines name but do not use.
const sssPipe = "/var/lib/sss/pipes/nss"

// services returns the services for accounts in the text of nsswitch.conf, without
// the local ones.
func services(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		database, rest, _ := strings.Cut(line, ":")
		if strings.TrimSpace(database) != "passwd" {
			continue
		}
		for rest != "" {
			before, after, _ := strings.Cut(rest, "[") // what to do after an answer
			list = append(list, strings.Fields(before)...)
			_, rest, _ = strings.Cut(after, "]")
		}
	}
	return slices.DeleteFunc(list, func(s string) bool { return slices.Contains(local, s) })
}

// User asks for an account by name.
func (d *Directory) User(name string) (account.User, error) {
	d.mu.Lock()
	list, _, err := d.nss.Get()
	d.mu.Unlock()
	if err != nil {
		return account.User{}, err
	}
	if len(list) == 0 || !askable(name) {
		return account.User{}, account.ErrUnknown
	}
	u, err := d.ask(name)
	if !errors.Is(err, account.ErrUnknown) {
		return u, err
	}
	for _, service := range list {
		if !slices.Contains(remote, service) || (service == "sss" && missing(sssPipe)) {
			continue
		}
		_, code, err := d.Run("-s", "passwd:"+service+" [UNAVAIL=return TRYAGAIN=return] files", "passwd", d.known)
		if err != nil {
			return account.User{}, err
		}
		if code != 0 {
			return account.User{}, fmt.Errorf("the directory %q does not answer", service)
		}
	}
	return account.User{}, account.ErrUnknown
}

// ask runs getent for a name. It takes digits for a number, so the answer must be
// about the name.
func (d *Directory) ask(name string) (account.User, error) {
	output, code, err := d.Run("passwd", "--", name)
	switch {
	case err != nil:
		return account.User{}, err
	case code == unknownKey:
		return account.User{}, account.ErrUnknown
	case code != 0:
		return account.User{}, fmt.Errorf("getent: exit code %d", code)
	}
	line, _, _ := bytes.Cut(output, []byte{'\n'})
	if u, ok := account.ParseUser(string(line)); ok && u.Name == name {
		return u, nil
	}
	return account.User{}, account.ErrUnknown
}

// askable tells whether a name could be one of an account: an address may hold
// anything, and it ends up in a query to a server.
func askable(name string) bool {
	for _, c := range []byte(name) {
		if c <= ' ' || c == 0x7f || strings.IndexByte(`:/*()\,=`, c) >= 0 {
			return false
		}
	}
	return true
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// getent runs the program. One that takes too long is killed.
func getent(args ...string) (output []byte, code int, err error) {
	theirs, ours, err := child.PipeFrom()
	if err != nil {
		return nil, 0, err
	}
	defer ours.Close()
	p, err := child.Start(child.Command{
		Path:  "/usr/bin/getent",
		Args:  append([]string{"getent"}, args...),
		Env:   []string{},
		Dir:   "/",
		Files: []*os.File{nil, theirs, os.Stderr},
	})
	theirs.Close()
	if err != nil {
		return nil, 0, err
	}
	ours.SetReadDeadline(time.Now().Add(patience))
	output, err = io.ReadAll(io.LimitReader(ours, maxLine))
	if err != nil {
		unix.Kill(p.Pid, unix.SIGKILL)
	}
	status, waitErr := p.Wait()
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("getent: %w", err)
	case waitErr != nil:
		return nil, 0, waitErr
	case status.Crashed:
		return nil, 0, errors.New("getent crashed")
	}
	return output, status.Code, nil
}
