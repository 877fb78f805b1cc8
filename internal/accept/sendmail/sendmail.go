// Package sendmail is what programs that expect sendmail find in its place
// (sendmail(8)): it translates their arguments to those of the program that does the
// work.
//
//	sendmail -bm    qmail-inject (the default)
//	sendmail -bp    qmail-qread, also when called mailq
//	sendmail -bs    qmail-smtpd, for whoever runs sendmail
//
// Options of sendmail and its successors that ask for what qmail does anyway, or tell
// what it has no use for, are accepted. Those that ask for something else are not: -bd,
// -bi, -bt, -bv, -q, -C, -d, -I, -M, -X.
package sendmail

import (
	"path"
	"slices"
	"strings"

	"goqmail/internal/host/getopt"
	"goqmail/internal/mail/outcome"
)

const usage = outcome.Usage("sendmail [ -t ] [ -fsender ] [ -Fname ] [ -bp ] [ -bs ] [ arg ... ]")

// The options: those that qmail's sendmail has always had, and those that programs
// have come to pass since.
const accepted = "vimte:f:p:o:B:F:EJxb:" + "r:N:R:V:L:h:O:A:UnG"

// A Program does the work.
type Program struct {
	Name string   // in bin
	Args []string // without its name
	Env  []string
}

// Path is the program's file, as a path from the home.
func (p Program) Path() string { return "bin/" + p.Name }

// Parse reads the arguments of sendmail, its own name first, and its environment.
func Parse(args, env []string) (Program, error) {
	name := "sendmail"
	if len(args) > 0 {
		name, args = path.Base(args[0]), args[1:]
	}
	var inject injection
	options := getopt.New(args, accepted)
	for options.Next() {
		switch value := options.Value; options.Letter {
		case 't':
			inject.fromHeader = true
		case 'f', 'r':
			inject.sender = &value
		case 'F':
			inject.name = &value
		case 'E', 'J': // of NEWS-OS, with a value or without
			options.Skip()
		case 'b':
			switch mode := value + "?"; mode[0] {
			case 'm':
			case 'p':
				return mailq(env), nil
			case 's':
				return smtpd(env), nil
			default:
				return Program{}, refusal(usageLine)
			}
		case getopt.Problem:
			return Program{}, refusal(name + ": " + options.Text + "\n" + usageLine)
		}
	}
	switch name {
	case "mailq":
		return mailq(env), nil
	case "newaliases":
		return Program{}, refusal("sendmail: fatal: please use fastforward/newaliases instead")
	}
	inject.recipients = options.Rest()
	return inject.program(env), nil
}

var usageLine = "sendmail: " + usage.Error()

func refusal(text string) error {
	return &outcome.Status{Code: outcome.Failure.ExitCode(), Text: text}
}

func mailq(env []string) Program { return Program{Name: "qmail-qread", Env: env} }

// smtpd speaks SMTP on descriptors 0 and 1. Unless somebody has said already who is
// there, it is a user of this host, who may send mail to anywhere.
func smtpd(env []string) Program {
	if len(without(env, "PROTO")) == len(env) {
		for _, v := range []struct{ name, value string }{
			{"RELAYCLIENT", ""},
			{"DATABYTES", "0"},
			{"PROTO", "TCP"},
			{"TCPLOCALIP", "127.0.0.1"},
			{"TCPLOCALHOST", "localhost"},
			{"TCPREMOTEIP", "127.0.0.1"},
			{"TCPREMOTEHOST", "localhost"},
			{"TCPREMOTEINFO", "sendmail-bs"},
		} {
			env = append(without(env, v.name), v.name+"="+v.value)
		}
	}
	return Program{Name: "qmail-smtpd", Env: env}
}

// An injection is a message to be injected.
type injection struct {
	fromHeader bool
	sender     *string
	name       *string // of the person who sends it
	recipients []string
}

// program makes a call of qmail-inject of it. The sender is that of a From field as
// well, if the message has none.
func (i injection) program(env []string) Program {
	args := []string{"-a"}
	if i.fromHeader {
		args[0] = "-H"
	}
	if i.sender != nil {
		sender := withoutBrackets(*i.sender)
		args = append(args, "-f", sender)
		env = from(env, sender)
	}
	if i.name != nil {
		env = append(without(env, "MAILNAME"), "MAILNAME="+*i.name)
	}
	return Program{"qmail-inject", append(append(args, "--"), i.recipients...), env}
}

// from sets the address that a From field is made of. The user's own name and host do
// not belong to it.
func from(env []string, sender string) []string {
	env = without(env, "QMAILNAME", "MAILNAME", "NAME", "QMAILHOST", "MAILHOST", "QMAILUSER")
	if at := strings.LastIndexByte(sender, '@'); at >= 0 {
		env = append(env, "QMAILHOST="+sender[at+1:])
		sender = sender[:at]
	}
	return append(env, "QMAILUSER="+sender)
}

// without returns a copy of an environment, which has the form of os.Environ, that
// lacks some variables.
func without(env []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(names, name)
	})
}

// withoutBrackets is <address> as an address: some write the empty one as <>.
func withoutBrackets(sender string) string {
	if strings.HasPrefix(sender, "<") && strings.HasSuffix(sender, ">") {
		return sender[1 : len(sender)-1]
	}
	return sender
}
