// Package getopt reads command line options by the rules that qmail's programs
// have always had:
//
//	-ab        the options a and b
//	-tVALUE    the option t with its value; where nothing follows the letter, the
//	-t VALUE   next argument is the value
//	--...      ends the options, and is none itself
//	-          is no option, and ends them too
//
// The first argument that does not begin with a hyphen ends the options. Which
// options there are is said as for getopt(3): by their letters, with a colon
// behind one that has a value.
//
//	options := getopt.New(os.Args[1:], "nNt:")
//	for options.Next() {
//		switch options.Letter {
//		case 'n': ...
//		case getopt.Problem: // options.Text says what is wrong
//		}
//	}
//	arguments := options.Rest()
package getopt

import "strings"

// Problem is the letter of an option that does not exist or lacks its value.
const Problem = '?'

// A Reader goes through the options of a command line.
type Reader struct {
	Letter byte   // the option; Problem where something is wrong with it
	Value  string // its value, where it has one
	Text   string // with Problem, such as "illegal option -- x"

	accepted string
	args     []string // still to come
	cluster  string   // letters still to come of the argument before them
	ended    bool
}

// New returns a Reader of the arguments, that of the program's name not among them.
func New(args []string, accepted string) *Reader {
	return &Reader{accepted: accepted, args: args}
}

// Rest returns what follows the options, once Next has returned false.
func (r *Reader) Rest() []string { return r.args }

// Skip leaves out the letters behind the option in the same argument: they are the
// value of one that need not have any.
func (r *Reader) Skip() { r.cluster = "" }

// Next goes to the next option, if there is one. Behind a Problem it goes on.
func (r *Reader) Next() bool {
	if r.cluster == "" && !r.open() {
		return false
	}
	letter := r.cluster[0]
	r.cluster = r.cluster[1:]
	r.Letter, r.Value, r.Text = letter, "", ""
	i := strings.IndexByte(r.accepted, letter)
	switch {
	case i < 0 || letter == ':':
		r.problem("illegal option -- ", letter)
	case !strings.HasPrefix(r.accepted[i+1:], ":"):
	case r.cluster != "":
		r.Value, r.cluster = r.cluster, ""
	case len(r.args) == 0:
		r.problem("option requires an argument -- ", letter)
	default:
		r.Value, r.args = r.args[0], r.args[1:]
	}
	return true
}

// open goes to the next argument, if there are options in it.
func (r *Reader) open() bool {
	if r.ended || len(r.args) == 0 || len(r.args[0]) < 2 || r.args[0][0] != '-' {
		r.ended = true
		return false
	}
	r.cluster, r.args = r.args[0][1:], r.args[1:]
	if r.cluster[0] == '-' {
		r.cluster, r.ended = "", true
	}
	return !r.ended
}

func (r *Reader) problem(text string, letter byte) {
	r.Letter, r.Text = Problem, text+string([]byte{letter})
}
