// Package outcome says how an attempt to do something with mail ended, and is
// the one place that decides whether an error is temporary.
//
//	success   it is done
//	deferral  it was not done, and trying again later may help
//	failure   it was not done, and trying again will not help: bounce
//
// An error is a failure only where somebody said so, with Fail or Permanent.
// Everything else (a full disk, a missing program, a bug, an error nobody
// thought of) is a deferral: mail that waits can still be delivered.
//
// The exit codes are those of qmail-command(8): 0, 111 and 100.
package outcome

import (
	"errors"
	"fmt"
)

// Outcome is how an attempt ended.
type Outcome int

// The three outcomes.
const (
	Success Outcome = iota
	Deferral
	Failure
)

// A decided error knows its outcome. An error type that can be permanent
// implements it.
type decided interface {
	error
	Outcome() Outcome
}

// Of classifies an error. A nil error is a success; unknown means temporary.
func Of(err error) Outcome {
	var d decided
	switch {
	case err == nil:
		return Success
	case errors.As(err, &d):
		return d.Outcome()
	}
	return Deferral
}

// ExitCode is what a program says to its parent: 0, 111 or 100.
func (o Outcome) ExitCode() int {
	switch o {
	case Success:
		return 0
	case Failure:
		return 100
	}
	return 111
}

// OfProgram is how an attempt ended that a user's program made, by the exit code of
// that: 0 is a success, 100 and the codes that other mail systems have for it are
// failures, and all others are deferrals (qmail-command(8)).
func OfProgram(code int) Outcome {
	switch code {
	case 0:
		return Success
	case 64, 65, 70, 76, 77, 78, 100, 112:
		return Failure
	}
	return Deferral
}

// Letter is what a delivery report begins with: K, Z or D.
func (o Outcome) Letter() byte { return "KZD"[o] }

func (o Outcome) String() string {
	return [...]string{"success", "deferral", "failure"}[o]
}

// permanent marks an error as a failure; its text is that of the error inside.
type permanent struct{ error }

func (p *permanent) Unwrap() error    { return p.error }
func (p *permanent) Outcome() Outcome { return Failure }

// Permanent marks an error as a failure. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanent{err}
}

// Fail makes a failure; the arguments are those of fmt.Errorf.
func Fail(format string, args ...any) error {
	return &permanent{fmt.Errorf(format, args...)}
}

// A Usage error says that a program was called with the wrong arguments. Its
// text is what follows "usage: ". It is a failure.
type Usage string

func (u Usage) Error() string { return "usage: " + string(u) }

// Outcome is a failure: the same call will be wrong again.
func (u Usage) Outcome() Outcome { return Failure }

// A Status asks for an exit code that is none of the three, such as 99 from a
// program in a .qmail file. Text, when not empty, is printed as it is.
type Status struct {
	Code int
	Text string
}

func (s *Status) Error() string { return s.Text }
