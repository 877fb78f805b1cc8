package model

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goqmail/internal/integration/site"
)

// A call is one of qmail-inject.
type call struct {
	Args []string
	Env  []string
	Text string
}

// An answer is all that can be seen of a call: what it prints, or gives to qmail-queue, and
// how it ends. Dates and the numbers in Message-IDs are left out.
type answer struct {
	Code     int
	Printed  string
	Envelope string
	Said     string // on descriptor 2
}

// inject calls a qmail-inject.
func inject(s *site.Site, program string, c call) answer {
	dir := "/mnt/record"
	r := s.Run(site.Command{Program: program, Args: c.Args, Stdin: strings.NewReader(c.Text), Often: true,
		Env: append([]string{"QMAILQUEUE=/mnt/recorder", "RECORD=" + dir, "CODE=0"}, c.Env...)})
	a := answer{Code: r.Code, Printed: r.Stdout, Said: strings.TrimSuffix(r.Stderr, "\n")}
	files, _ := filepath.Glob(dir + "/*")
	for _, f := range files {
		if strings.HasSuffix(f, ".text") {
			a.Printed += s.Read(f)
		} else {
			a.Envelope += s.Read(f)
		}
		os.Remove(f)
	}
	a.Printed = undated(a.Printed)
	return a
}

// prepareInject writes the settings that all calls have.
func prepareInject(t *testing.T) *site.Site {
	t.Helper()
	s := site.New(t)
	for name, line := range map[string]string{"defaulthost": "dh", "defaultdomain": "dd.example", "plusdomain": "plus.example", "idhost": "id.example"} {
		s.Control(name, line+"\n")
	}
	must(t, os.MkdirAll("/mnt/record", 0o755))
	must(t, os.WriteFile("/mnt/recorder", []byte(recorder), 0o755))
	must(t, os.WriteFile("/mnt/lists", []byte("list@l.example\njoe@dh.dd.example\n"), 0o644))
	t.Cleanup(func() { os.RemoveAll("/mnt/record") })
	return s
}

// TestOriginalInject gives calls made at random to both qmail-injects. What they do must be
// the same, but for the differences that testdata/differences lists and judges.
func TestOriginalInject(t *testing.T) {
	needsC(t)
	s := prepareInject(t)
	met := map[string]int{}
	run(t, func(seed uint64) string {
		c := randomCall(newDice(seed))
		ours := inject(s, "qmail-inject", c)
		names, difference := judge(c, ours, func(c call) answer { return inject(s, original("qmail-inject"), c) })
		for _, name := range names {
			met[name]++
		}
		return difference
	})
	t.Logf("differences that were met: %v", met)
}

// TestRecorded gives ours the calls in testdata/original, to which it must answer as C did;
// and those in testdata/differences, to which both answer as is written there. With
// GOQMAIL_MODEL_RECORD set they are written anew.
func TestRecorded(t *testing.T) {
	s := prepareInject(t)
	if os.Getenv("GOQMAIL_MODEL_RECORD") != "" {
		needsC(t)
		writeRecords(t, s)
	}
	records := readRecords(t, "testdata/original")
	for i, r := range records {
		if got := inject(s, "qmail-inject", r.call); got != r.answer {
			t.Errorf("call %d\n%sanswered\n%s", i+1, r, got)
		}
	}
	t.Logf("%d calls", len(records))
	answers := readRecords(t, "testdata/differences")
	if len(answers) != 2*len(differences) {
		t.Fatalf("testdata/differences has %d answers", len(answers))
	}
	for i, d := range differences {
		theirs, ours := answers[2*i], answers[2*i+1]
		if theirs.call.String() != d.example.String() || theirs.answer == ours.answer {
			t.Errorf("%s: the file is about another call, or no difference", d.name)
		}
		if got := inject(s, "qmail-inject", d.example); got != ours.answer {
			t.Errorf("%s: ours answered\n%s", d.name, got)
		}
		if cHome == "" {
			continue
		}
		if got := inject(s, original("qmail-inject"), d.example); got != theirs.answer {
			t.Errorf("%s: C answered\n%s", d.name, got)
		}
	}
}

// pieces of address lists: good ones first, others later.
var parts = strings.Split(`joe|bob@host|kim@example.org|x@sun.cs+|ann@[192.0.2.1]|Joe Bloggs <joe@h>|"Doe, Jane" <jane>|`+
	`"a \"b\" c"@host|<@r,@s:joe@h>|team: a, b@c;|nobody:;|(a (b) \) c)|J. R. Ewing <jr@h.>|<>|#@[]|joe@|joe@host.|list@l.example|`+
	`!#$%&'*/=?^_{}~|a-name-that-is-long-enough-to-make-lines-fold@host.example.org|`+
	`@|.|<|>|:|;|,|)|]|[x|(y|"z|a)b|<a, b>|[]|""|+|<.>|<joe (c)@h>|x@y z@w|\|\,|a\ b|"q\|@:|<@a>|[\]]|(\()|h+@+|joe\\|`+"\xe4\xf6|\"\xff\"|\r|\x01|\"\r\"|\n |\n\t|\"a\n b\"", "|")

// good is how many of them are.
const good = 20

var fieldNames = []string{"To", "To", "Cc", "Bcc", "From", "Reply-To", "Sender", "Return-Path", "Resent-To", "Resent-Bcc", "Resent-From", "Errors-To",
	"Apparently-To", "Subject", "TO ", "to\t", "Notice-Requested-Upon-Delivery-To", "Content-Length", "Mail-Followup-To", "Resent-Message-ID",
	"Date", "Message-Id", "Return-Receipt-To", "X", "From x", "Resent-Reply-To", "Resent-Date", "Resent-Cc", "Resent-Sender"}

// randomCall makes a call: a good message that was spoiled, or one of pieces.
func randomCall(d dice) call {
	var c call
	if d.oneIn(3) {
		m := randomMail(d)
		c = call{m.args, m.env, m.text}
	} else {
		for range 1 + d.IntN(5) {
			kinds := len(parts)
			if !d.oneIn(3) {
				kinds = good
			}
			c.Text += d.pick(fieldNames...) + ":"
			for range d.IntN(10) {
				c.Text += d.pick(" ", "", "\t") + parts[d.IntN(kinds)] + d.pick(",", ", ", " ", ",\n ")
			}
			c.Text += "\n"
		}
		c.Text += d.pick("", "\n", "\nbody\n", "\nbody", "no field\n", "From x\n\n", "\r\n", " \n", "From: \n\n")
		c.Args = strings.Fields(d.pick("", "-n", "-a", "-h", "-H", "-A", "-fx@y", "-f x", "-nf#@[]", "-f l-@h-@[]", "-N", "-x", "-f", "-hf(", "--"))
		for d.oneIn(3) {
			c.Args = append(c.Args, d.pick("bob", "bob@h+", "a b@h", "@", "a@", "<a>@b", "x@[1]", "a@b)", "", "a@b\xe4", "\xff@x", "a@b c"))
		}
		c.Env = []string{"USER=joe", "QMAILINJECT=" + d.pick("", "", "c", "s", "f", "i", "r", "sf", "x", "ci")}
		for _, name := range []string{"QMAILUSER", "MAILUSER", "QMAILHOST", "MAILHOST", "QMAILNAME", "MAILNAME", "NAME", "QMAILSUSER", "QMAILSHOST",
			"QMAILDEFAULTHOST", "QMAILDEFAULTDOMAIN", "QMAILPLUSDOMAIN", "QMAILIDHOST"} {
			if d.oneIn(14) {
				value := d.pick("x", "x.y", "a b", "h+", "", "a,b", "x.", ".", ":", "\xe4")
				if !strings.Contains(name, "HOST") {
					value = d.pick(value, "(", `a"b`)
				}
				c.Env = append(c.Env, name+"="+value)
			}
		}
		if d.oneIn(6) {
			c.Env = append(c.Env, "QMAILMFTFILE="+d.pick("/mnt/lists", "/mnt/lists", "/mnt/none", ""))
		}
	}
	if d.oneIn(3) {
		c.Text = d.spoil(c.Text, ",", ".", "@", "<", ">", ":", ";", "(", ")", "[", "]", `"`, `\`, " ", "\n", "\n ", "\t", "x", "\xe4", "\x00")
	}
	if !d.oneIn(5) {
		c.Args = append([]string{"-n"}, c.Args...)
	}
	return c
}
