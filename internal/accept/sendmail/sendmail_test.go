package sendmail

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"goqmail/internal/mail/outcome"
)

// words splits a command line; ” is an empty word.
func words(line string) []string {
	list := strings.Fields(line)
	for i := range list {
		list[i] = strings.ReplaceAll(strings.ReplaceAll(list[i], "”", ""), "_", " ")
	}
	return list
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ name, args, program string }{
		{"recipients", "x y@h", "qmail-inject -a -- x y@h"},
		{"nothing", "", "qmail-inject -a --"},
		{"-t", "-t", "qmail-inject -H --"},
		{"-t and recipients", "-t x", "qmail-inject -H -- x"},
		{"-ti", "-ti x", "qmail-inject -H -- x"},
		{"-f", "-f a@b x", "qmail-inject -a -f a@b -- x"},
		{"-f in one word", "-fa@b x", "qmail-inject -a -f a@b -- x"},
		{"-f empty", "-f ” x", "qmail-inject -a -f ” -- x"},
		{"-f <>", "-f <> x", "qmail-inject -a -f ” -- x"},
		{"-f in brackets", "-f<a@b> x", "qmail-inject -a -f a@b -- x"},
		{"-r", "-ra@b x", "qmail-inject -a -f a@b -- x"},
		{"the last sender counts", "-f a -r b x", "qmail-inject -a -f b -- x"},
		{"--", "-- -x", "qmail-inject -a -- -x"},
		{"options end with the first recipient", "x -t", "qmail-inject -a -- x -t"},
		{"-bm", "-bm x", "qmail-inject -a -- x"},
		{"-bp", "-bp", "qmail-qread"},
		{"-bp behind others", "-v -t -bp x", "qmail-qread"},
		{"-bs", "-bs", "qmail-smtpd"},
		{"-bs with others", "-oi -bs -f x", "qmail-smtpd"},
		{"as pipes from cron call it", "-FCronDaemon -i -odi -oem -oi -t -f root", "qmail-inject -H -f root --"},
		{"as PHP calls it", "-t -i", "qmail-inject -H --"},
		{"as mutt calls it", "-oem -oi -f a@b -- x y", "qmail-inject -a -f a@b -- x y"},
		{"as mutt calls it for 8-bit text and DSN", "-B8BITMIME -N failure -R hdrs -f a@b -- x", "qmail-inject -a -f a@b -- x"},
		{"as s-nail calls it", "-i -m -v -- x", "qmail-inject -a -- x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Parse(append([]string{"/usr/sbin/sendmail"}, words(c.args)...), []string{"A=b"})
			if got := append([]string{p.Name}, p.Args...); !slices.Equal(got, words(c.program)) || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	for _, ignored := range words("-i -oi -oem -e_m -em -odi -odb -om -m -v -x -B8BITMIME -B_7BIT -oQ/q -os -p_smtp -JJ -J -Ex -E " +
		"-Nnever -N_success,delay -Rfull -V_id -Ltag -h_5 -ODeliveryMode=b -O_x -Am -Ac -U -n -G") {
		p, err := Parse(append(append([]string{"sendmail"}, strings.Fields(ignored)...), "x"), nil)
		if got := strings.Join(p.Args, " "); got != "-a -- x" || err != nil {
			t.Errorf("%s: %s, %v", ignored, got, err)
		}
	}
}

func TestCalledOtherwise(t *testing.T) {
	for name, want := range map[string]string{"mailq": "qmail-qread", "/usr/bin/mailq": "qmail-qread", "": "qmail-inject", "sendmail.qmail": "qmail-inject"} {
		if p, err := Parse([]string{name}, nil); p.Name != want || err != nil {
			t.Errorf("%s: %s, %v", name, p.Name, err)
		}
	}
	if p, err := Parse(nil, nil); p.Name != "qmail-inject" || err != nil {
		t.Errorf("without a name: %s, %v", p.Name, err)
	}
}

// TestEnvironment: what the programs find in theirs.
func TestEnvironment(t *testing.T) {
	const user = "USER=u NAME=n MAILNAME=m QMAILNAME=q QMAILHOST=h MAILHOST=g QMAILUSER=w"
	for _, c := range []struct{ name, args, env, want string }{
		{"as it is", "x", user, user},
		{"-F", "-F The_Boss x", "USER=u NAME=n", "USER=u NAME=n MAILNAME=The_Boss"},
		{"-F in place of another", "-F b x", "MAILNAME=m USER=u", "USER=u MAILNAME=b"},
		{"-f", "-f a@b@c x", user, "USER=u QMAILHOST=c QMAILUSER=a@b"},
		{"-f without a host", "-f a x", user, "USER=u QMAILUSER=a"},
		{"-f and -F", "-F b -f a x", user, "USER=u QMAILUSER=a MAILNAME=b"},
		{"-bp", "-bp", user, user},
		{"-bs", "-bs", "USER=u RELAYCLIENT=x TCPREMOTEIP=1.2.3.4", "USER=u RELAYCLIENT= DATABYTES=0 PROTO=TCP TCPLOCALIP=127.0.0.1 " +
			"TCPLOCALHOST=localhost TCPREMOTEIP=127.0.0.1 TCPREMOTEHOST=localhost TCPREMOTEINFO=sendmail-bs"},
		{"-bs for a client", "-bs", "PROTO=TCP TCPREMOTEIP=1.2.3.4", "PROTO=TCP TCPREMOTEIP=1.2.3.4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := words(c.env)
			p, err := Parse(append([]string{"sendmail"}, words(c.args)...), env)
			if !slices.Equal(p.Env, words(c.want)) || err != nil {
				t.Errorf("%q, %v", p.Env, err)
			}
			if !slices.Equal(env, words(c.env)) {
				t.Errorf("the environment that was given became %q", env)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	const usage = "sendmail: usage: sendmail [ -t ] [ -fsender ] [ -Fname ] [ -bp ] [ -bs ] [ arg ... ]"
	for args, want := range map[string]string{
		"sendmail -bd":            usage,
		"sendmail -bi":            usage,
		"sendmail -bv x":          usage,
		"sendmail -bt":            usage,
		"sendmail -b ”":           usage,
		"sendmail -b":             "sendmail: option requires an argument -- b\n" + usage,
		"/usr/sbin/sendmail -q":   "sendmail: illegal option -- q\n" + usage,
		"sendmail -q15m":          "sendmail: illegal option -- q\n" + usage,
		"sendmail -C/etc/x":       "sendmail: illegal option -- C\n" + usage,
		"sendmail -X/log":         "sendmail: illegal option -- X\n" + usage,
		"sendmail -t -Z":          "sendmail: illegal option -- Z\n" + usage,
		"sendmail -O":             "sendmail: option requires an argument -- O\n" + usage,
		"mailq -Z":                "mailq: illegal option -- Z\n" + usage,
		"/usr/bin/newaliases":     "sendmail: fatal: please use fastforward/newaliases instead",
		"newaliases -v something": "sendmail: fatal: please use fastforward/newaliases instead",
	} {
		_, err := Parse(words(args), nil)
		var status *outcome.Status
		if !errors.As(err, &status) || status.Code != 100 || status.Text != want {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// FuzzParse: whatever is passed, the program is one of the three, and recipients stay
// recipients.
func FuzzParse(f *testing.F) {
	f.Add("sendmail|-t|-f|<a@b>|x")
	f.Add("mailq|-Jx|-F|n")
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, "|")
		p, err := Parse(args, []string{"USER=u"})
		if err != nil {
			return
		}
		switch p.Name {
		case "qmail-qread", "qmail-smtpd":
			if len(p.Args) > 0 {
				t.Errorf("%q: %q", args, p.Args)
			}
		case "qmail-inject":
			recipients := p.Args[slices.Index(p.Args[1:], "--")+2:]
			if p.Args[1] == "-f" {
				recipients = p.Args[4:]
			}
			if len(recipients) > len(args) || !slices.Equal(recipients, args[len(args)-len(recipients):]) {
				t.Errorf("%q: %q", args, p.Args)
			}
		default:
			t.Errorf("%q: %s", args, p.Name)
		}
	})
}
