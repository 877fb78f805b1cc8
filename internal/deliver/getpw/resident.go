package getpw

import (
	"errors"
	"strconv"

	"goqmail/internal/deliver/exitcode"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/resident"
)

// InFlight is how many questions a resident qmail-getpw answers at once.
const InFlight = 100

// Answer returns the function that answers one of many questions, which a resident
// qmail-getpw is asked.
//
//	request    the local part
//	reply      the exit code in decimal, and the assignment as it would be printed
func Answer(accounts Accounts) func(*resident.Request) []string {
	return func(q *resident.Request) []string {
		if len(q.Fields) != 1 || len(q.Files) != 0 {
			return []string{strconv.Itoa(exitcode.Usage), ""}
		}
		a, err := Find(accounts, q.Fields[0])
		var status *outcome.Status
		switch {
		case errors.As(err, &status):
			return []string{strconv.Itoa(status.Code), ""}
		case err != nil:
			return []string{strconv.Itoa(outcome.Of(err).ExitCode()), ""}
		}
		return []string{"0", string(a.Append(nil))}
	}
}
