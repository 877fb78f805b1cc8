package retrieve

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"goqmail/internal/integration/site"
)

// A fetcher is a program with which people get their mail by POP3, called by ann,
// who puts joe's mail into her maildir.
type fetcher struct {
	program string
	file    string // name of its configuration
	text    string
	args    []string
}

// fetchers: HOME in a text or an argument is ann's home.
var fetchers = []fetcher{
	{"mpop", ".mpoprc", `account default
host 127.0.0.1
user joe
password secret
auth user
tls off
delivery maildir HOME/Maildir
`, []string{"--debug"}},
	{"fetchmail", ".fetchmailrc", `poll 127.0.0.1 protocol pop3 uidl user joe password secret sslproto '' nokeep
`, []string{"-v", "--mda", "sh -c 'cat > HOME/Maildir/new/$$'"}},
	{"getmail", ".getmailrc", `[retriever]
type = SimplePOP3Retriever
server = 127.0.0.1
username = joe
password = secret
[destination]
type = Maildir
path = HOME/Maildir/
[options]
delete = true
delivered_to = false
received = false
`, []string{"--getmaildir=HOME", "--rcfile=.getmailrc", "-v"}},
}

func TestFetchers(t *testing.T) {
	for _, f := range fetchers {
		t.Run(f.program, func(t *testing.T) {
			path, err := exec.LookPath(f.program)
			if err != nil {
				t.Skipf("needs %s, which is not installed", f.program)
			}
			s := newSite(t)
			joe, ann := s.Maildir("joe", "Maildir"), s.Maildir("ann", "Maildir")
			texts := []string{"Subject: one\n\nfirst\n.\n..\n", "Subject: two\n\n" + strings.Repeat("a long message\n", 20_000), "Subject: three\n\nno end"}
			fill(t, joe, "joe", texts...)
			serve(t, "POP3CAPA=1")
			a := site.Account("ann")
			s.UserFile("ann", f.file, strings.ReplaceAll(f.text, "HOME", a.Home), 0o600)
			cmd := exec.Command(path)
			for _, arg := range f.args {
				cmd.Args = append(cmd.Args, strings.ReplaceAll(arg, "HOME", a.Home))
			}
			cmd.Dir = a.Home
			cmd.Env = []string{"HOME=" + a.Home, "USER=ann", "LC_ALL=C", "PATH=" + os.Getenv("PATH")}
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: a.UID, Gid: a.GID}}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			messages := s.ReadDir(filepath.Join(ann, "new"))
			for _, text := range texts {
				// Each has fields of its own before those of the message, and may or may
				// not have the empty line behind it.
				if !slices.ContainsFunc(messages, func(m string) bool {
					return strings.HasSuffix(strings.TrimRight(m, "\n"), strings.TrimRight(text, "\n"))
				}) {
					t.Errorf("no %.30q", text)
				}
			}
			if left := names(t, joe); len(messages) != len(texts) || left != "" {
				t.Errorf("%d messages, left %q\n%s", len(messages), left, out)
			}
		})
	}
}
