package local

import (
	"errors"
	"strconv"

	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/resident"
)

// Ending tells how qmail-local ends after a delivery: its exit code, and what it
// prints on descriptor 2, which is the whole of what there is to report.
func Ending(err error) (code int, text string) {
	var status *outcome.Status
	var usage outcome.Usage
	switch {
	case err == nil:
		return 0, ""
	case errors.As(err, &status):
		return status.Code, status.Text
	case errors.As(err, &usage):
		return usage.Outcome().ExitCode(), "qmail-local: " + usage.Error()
	}
	return outcome.Of(err).ExitCode(), err.Error()
}

// InFlight is how many deliveries a resident qmail-local does at once.
const InFlight = 100

// Answer does one of many deliveries, which a resident qmail-local is asked for.
//
//	request    user homedir local dash ext domain sender defaultdelivery
//	           with the message as its one descriptor
//	reply      the exit code in decimal, what was printed
//
// The message must be at a position of its own: descriptors that share theirs with
// other deliveries get wrong messages to programs.
func (c Config) Answer(q *resident.Request) (reply []string) {
	d, err := ParseArgs(append([]string{"--"}, q.Fields...))
	if len(q.Files) != 1 {
		err = usage
	}
	output := &collected{}
	if err == nil {
		d.Message, d.Output = q.Files[0], output
		err = Deliver(c, d)
	}
	code, text := Ending(err)
	if text != "" {
		output.Warn(text + "\n")
	}
	return []string{strconv.Itoa(code), output.end()}
}
