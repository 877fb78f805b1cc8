package swap

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"goqmail/internal/integration/site"
)

// TestInject gives headers made at random to both qmail-injects: what they print, how
// they end and whom they send to is the same. The headers are made so that
// docs/deviations.md says nothing about them.
func TestInject(t *testing.T) {
	s := newSite(t)
	s.Install()
	for name, line := range map[string]string{"defaulthost": "dh", "defaultdomain": "dd.example", "plusdomain": "plus.example"} {
		s.Control(name, line+"\n")
	}
	dump := "/mnt/dump"
	if err := os.WriteFile(dump, []byte("#!/bin/sh\nexec 3<&1 >&2\ncat\ncat <&3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ours, theirs := filepath.Join(site.Home, "bin/qmail-inject"), filepath.Join(site.Aside, "qmail-inject")
	for seed := range uint64(400) {
		c := randomCall(rand.New(rand.NewPCG(seed, 0)))
		a, b := injected(s, theirs, dump, c), injected(s, ours, dump, c)
		if a != b {
			t.Errorf("arguments %q, environment %q, message\n%s\nC:\n%s\nours:\n%s", c.Args, c.Env, c.text, a, b)
		}
	}
}

// An injectCall is a call of qmail-inject with its message.
type injectCall struct {
	site.Command
	text string
}

// changing are the fields that differ from call to call.
var changing = regexp.MustCompile(`(?m)(Date: |Message-ID: <).*`)

// injected is all that can be seen of a call of a program.
func injected(s *site.Site, program, queue string, c injectCall) string {
	c.Program, c.Stdin = program, strings.NewReader(c.text)
	c.Env = append(c.Env, "QMAILQUEUE="+queue)
	r := s.Run(c.Command)
	text := fmt.Sprintf("exit code %d\n%s\n%s", r.Code, r.Stdout, strings.TrimSuffix(r.Stderr, "\n"))
	text = strings.ReplaceAll(text, ",\n \n", ",\n") // a line of white space, which ours never writes
	return changing.ReplaceAllString(text, "$1")
}

// words are the pieces of lists: good ones first, others later.
var words = strings.Split(`joe|bob@host|kim@example.org|x@sun.cs+|ann@[192.0.2.1]|Joe Bloggs <joe@h>|"Doe, Jane" <jane>|`+
	`"a \"b\" c"@host|<@r,@s:joe@h>|team: a, b@c;|nobody:;|(a (b) \) c)|J. R. Ewing <jr@h.>|<>|#@[]|joe@|joe@host.|`+
	`!#$%&'*/=?^_{}~|a-name-that-is-long-enough-to-make-lines-fold@host.example.org|`+
	`@|.|<|>|:|;|,|)|]|[x|(y|"z|a)b|<a, b>|[]|""|+|<.>|<joe (c)@h>|x@y z@w`, "|")

// randomCall makes a call that is worth a look.
func randomCall(r *rand.Rand) injectCall {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	var c injectCall
	fields := []string{"To", "Cc", "Bcc", "From", "Reply-To", "Sender", "Return-Path", "Resent-To", "Resent-Bcc", "Errors-To",
		"Apparently-To", "Subject", "TO ", "Notice-Requested-Upon-Delivery-To", "Content-Length", "Mail-Followup-To"}
	for range 1 + r.IntN(5) {
		good := len(words)
		if r.IntN(3) > 0 {
			good = 19
		}
		c.text += pick(fields...) + ":"
		for range r.IntN(12) {
			c.text += pick(" ", "", "\t") + words[r.IntN(good)] + pick(",", ", ", " ")
		}
		c.text += "\n"
	}
	c.text += pick("", "\n", "\nbody\n", "\nbody", "no field\n", "From x\n\n")
	c.Args = strings.Fields(pick("", "-n", "-a", "-h", "-H", "-A", "-fx@y", "-f x", "-nf#@[]", "-f l-@h-@[]"))
	for r.IntN(3) == 0 {
		c.Args = append(c.Args, pick("bob", "bob@h+", "a b@h", "@", "a@", "<a>@b", "x@[1]", "a@b)"))
	}
	c.Env = []string{"USER=joe", "QMAILINJECT=" + pick("", "", "c", "s", "f", "i", "r", "sf")}
	for _, name := range []string{"QMAILUSER", "QMAILHOST", "QMAILNAME", "QMAILSUSER", "QMAILSHOST", "QMAILDEFAULTHOST"} {
		if r.IntN(8) == 0 {
			c.Env = append(c.Env, name+"="+pick("x", "x.y", "a b", "h+", "", "a,b", "x.", "."))
		}
	}
	return c
}
