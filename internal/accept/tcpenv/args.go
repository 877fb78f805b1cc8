package tcpenv

import (
	"time"

	"goqmail/internal/host/control"
	"goqmail/internal/host/getopt"
)

// Args are the arguments of tcp-env.
type Args struct {
	User     bool          // ask for the user
	Patience time.Duration // how long that may take
	Program  []string      // with its arguments; empty where the call is wrong
}

const defaultPatience = 30 * time.Second

// ParseArgs reads the arguments of tcp-env, without the name of the program.
// Options that do not exist are passed over, as they have always been: inetd has
// nobody to tell.
func ParseArgs(args []string) Args {
	a := Args{User: true, Patience: defaultPatience}
	options := getopt.New(args, "rRt:")
	for options.Next() {
		switch options.Letter {
		case 'r':
			a.User = true
		case 'R':
			a.User = false
		case 't':
			seconds, _ := control.LeadingNumber(options.Value)
			a.Patience = time.Duration(min(seconds, maxPatience)) * time.Second
		}
	}
	a.Program = options.Rest()
	return a
}

// maxPatience is the longest time that can be asked for, in seconds.
const maxPatience = 24 * 60 * 60
