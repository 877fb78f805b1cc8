package local

import (
	"strings"

	"goqmail/internal/host/getopt"
	"goqmail/internal/mail/outcome"
)

const usage = outcome.Usage("qmail-local [ -nN ] user homedir local dash ext domain sender aliasempty")

// ParseArgs reads the arguments of qmail-local, without the name of the program.
//
//	[-nN] user homedir local dash ext domain sender defaultdelivery
//
// The descriptors of the delivery are still to be set.
func ParseArgs(args []string) (Delivery, error) {
	var d Delivery
	options := getopt.New(args, "nN")
	for options.Next() {
		switch options.Letter {
		case 'n':
			d.DryRun = true
		case 'N':
			d.DryRun = false
		default:
			return d, &outcome.Status{
				Code: usage.Outcome().ExitCode(),
				Text: "qmail-local: " + options.Text + "\nqmail-local: " + usage.Error(),
			}
		}
	}
	args = options.Rest()
	if len(args) != 8 || !strings.HasPrefix(args[1], "/") {
		return d, usage
	}
	d.User, d.Home, d.Local, d.Dash = args[0], args[1], args[2], args[3]
	d.Ext, d.Domain, d.Sender, d.Default = args[4], args[5], args[6], args[7]
	return d, nil
}
