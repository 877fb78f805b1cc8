package prefix

import (
	"os"

	"goqmail/internal/host/child"
	"goqmail/internal/host/errno"
	"goqmail/internal/host/getopt"
	"goqmail/internal/mail/outcome"
)

const usagePreline = outcome.Usage("preline cmd [ arg ... ]")

// Preline is the work of preline(1). The message is files[0]; args are the options
// and the program.
func Preline(env Environment, files []*os.File, args []string) error {
	var l lines
	if !l.read(env) {
		return usagePreline
	}
	l.from.on, l.returnPath.on, l.deliveredTo.on = true, true, true
	options := getopt.New(args, "frdFRD")
	for options.Next() {
		switch options.Letter {
		case 'f', 'F':
			l.from.on = options.Letter == 'F'
		case 'r', 'R':
			l.returnPath.on = options.Letter == 'R'
		case 'd', 'D':
			l.deliveredTo.on = options.Letter == 'D'
		default:
			return &outcome.Status{
				Code: usagePreline.Outcome().ExitCode(),
				Text: "preline: " + options.Text + "\npreline: " + usagePreline.Error(),
			}
		}
	}
	program := options.Rest()
	if len(program) == 0 {
		return usagePreline
	}
	err := child.Feed(files, program, l.String(), files[0])
	if child.Missing(err) {
		return outcome.Fail("unable to run %s: %s", program[0], errno.Text(err))
	}
	return err
}
