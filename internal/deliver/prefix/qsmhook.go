package prefix

import (
	"errors"
	"os"
	"strings"

	"goqmail/internal/host/child"
	"goqmail/internal/host/getopt"
	"goqmail/internal/mail/fold"
	"goqmail/internal/mail/outcome"
)

// What qsmhook says.
var (
	errUsage    = outcome.Fail("incorrect usage")
	errNotFound = outcome.Fail("command not found")
	errProblem  = errors.New("temporary problem")
	errMessage  = errors.New("unable to read message")
)

// Qsmhook is the work of qsmhook(1): it takes the flags that sendmail's configuration
// has for a mailer, and in the arguments of the program
//
//	%g  is the envelope sender
//	%h  is the host of the recipient
//	%u  is the local part of the recipient, without the prefix of option x
//	%%  is a percent sign
//
// What these stand for comes from strangers. It never reaches a shell from here;
// a program must not hand it to one either.
func Qsmhook(env Environment, files []*os.File, args []string) error {
	var l lines
	var sender, host, recipient string
	ok := l.read(env)
	for name, value := range map[string]*string{"SENDER": &sender, "HOST": &host, "LOCAL": &recipient} {
		var set bool
		*value, set = env(name)
		ok = ok && set
	}
	if !ok {
		return errUsage
	}
	l.from.on = true
	options := getopt.New(args, "DFlMmnPsx:")
	for options.Next() {
		switch options.Letter {
		case 'l':
			l.deliveredTo.on = true
		case 'n':
			l.from.on = false
		case 'P':
			l.returnPath.on = true
		case 'x':
			if fold.HasPrefix(recipient, options.Value) {
				recipient = recipient[len(options.Value):]
			}
		case getopt.Problem:
			return &outcome.Status{Code: outcome.Failure.ExitCode(), Text: "qsmhook: " + options.Text}
		}
	}
	program := options.Rest()
	if len(program) == 0 {
		return errUsage
	}
	expanded := make([]string, 0, len(program))
	for _, arg := range program {
		expanded = append(expanded, expand(arg, map[byte]string{'%': "%", 'g': sender, 'h': host, 'u': recipient}))
	}
	err := child.Feed(files, expanded, l.String(), files[0])
	var status *outcome.Status
	switch {
	case err == nil, errors.As(err, &status):
		return err
	case child.Missing(err):
		return errNotFound
	case errors.Is(err, child.ErrInput):
		return errMessage
	}
	return errProblem
}

// expand replaces each percent sign and the letter behind it. A letter without a
// meaning vanishes, and so does a percent sign at the end.
func expand(arg string, meanings map[byte]string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(arg, "%")
		b.WriteString(before)
		if !found || after == "" {
			return b.String()
		}
		b.WriteString(meanings[after[0]])
		arg = after[1:]
	}
}
