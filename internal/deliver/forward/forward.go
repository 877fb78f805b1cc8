// Package forward sends a message that is being delivered on to other addresses:
// it puts it into the queue again, with the Delivered-To line before it that lets
// a loop be seen (forward(1), and the last step of condredirect(1)).
package forward

import (
	"fmt"
	"io"

	"goqmail/internal/host/errno"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/submit"
)

// An Environment looks a variable up, as os.LookupEnv does. qmail-command(8) has
// the variables.
type Environment func(name string) (value string, set bool)

// Forward forwards a message to the recipients, with the envelope sender that
// NEWSENDER has. It returns the process number of qmail-queue, by which the log
// knows the message.
func Forward(env Environment, q submit.Queue, message io.Reader, recipients []string) (qp int, err error) {
	sender, err := env.need("NEWSENDER")
	if err != nil {
		return 0, err
	}
	return env.queue(q, sender, message, recipients)
}

// Redirect is Forward to one recipient who takes the place of the first, so that
// the envelope sender stays: it is that of SENDER.
func Redirect(env Environment, q submit.Queue, message io.Reader, recipient string) (qp int, err error) {
	sender, err := env.need("SENDER")
	if err != nil {
		return 0, err
	}
	return env.queue(q, sender, message, []string{recipient})
}

// As is Forward with another envelope sender.
func As(sender string, env Environment, q submit.Queue, message io.Reader, recipients []string) (qp int, err error) {
	return env.queue(q, sender, message, recipients)
}

// need returns a variable that must be there: without it the caller is no
// qmail-local, and never will be.
func (env Environment) need(name string) (string, error) {
	value, set := env(name)
	if !set {
		return "", outcome.Fail("%s not set", name)
	}
	return value, nil
}

// queue hands the message to qmail-queue.
func (env Environment) queue(q submit.Queue, sender string, message io.Reader, recipients []string) (qp int, err error) {
	deliveredTo, err := env.need("DTLINE")
	if err != nil {
		return 0, err
	}
	m, err := q.Open()
	if err != nil {
		return 0, fmt.Errorf("unable to fork: %s", errno.Text(err))
	}
	m.WriteString(deliveredTo)
	if _, err := io.Copy(m, message); err != nil {
		m.Cancel()
		m.Close()
		return 0, fmt.Errorf("unable to read message: %s", errno.Text(err))
	}
	m.From(sender)
	for _, r := range recipients {
		m.To(r)
	}
	return m.Pid(), m.Close()
}
