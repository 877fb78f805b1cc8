package dotqmail

import (
	"os"
	"strings"
	"testing"

	"goqmail/internal/integration/site"
)

// TestSendmailFiles: a running system delivers by .forward files and by aliases, with
// the two lines that the man pages name.
func TestSendmailFiles(t *testing.T) {
	s := site.New(t)
	s.Control("locals", "host.example.org\n")
	for _, user := range []string{"joe", "ann", "bob"} {
		s.Maildir(user, "Maildir")
	}
	s.UserFile("joe", ".forward", "joe, ann (my sister)\n", 0o600)
	alias := site.Account("alias")
	r := s.Run(site.Command{Program: "setforward", Args: []string{alias.Home + "/data.cdb", alias.Home + "/data.tmp"},
		Stdin: strings.NewReader("staff@: bob@host.example.org, joe@host.example.org, ?boss@host.example.org; boss@: ann@host.example.org;")})
	if r.Code != 0 {
		t.Fatalf("setforward: %+v", r)
	}
	must(t, os.WriteFile(alias.Home+"/.qmail-default", []byte("|fastforward -d data.cdb\n"), 0o644))
	y := s.Up("|dot-forward .forward\n./Maildir/\n")
	s.Queue("Subject: hi\n\nbody\n", "s@host.example.org", "staff@host.example.org", "nobody@host.example.org")
	for _, user := range []string{"joe", "ann", "bob"} {
		dir := site.Account(user).Home + "/Maildir/new"
		s.Eventually("mail for "+user, func() bool {
			for _, text := range s.ReadDir(dir) {
				if strings.HasPrefix(text, "Return-Path: <boss@host.example.org>\n") && strings.Contains(text, "\nSubject: hi\n") {
					return true
				}
			}
			return false
		})
	}
	y.WaitLog(`delivery \d+: failure: Sorry,_no_mailbox_here_by_that_name\._\(#5\.1\.1\)/$`)
}
