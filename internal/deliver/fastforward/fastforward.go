// Package fastforward forwards a message by a database (fastforward(1); its formats
// are in internal/deliver/aliases).
//
//   - The recipient of the message is looked for as user@host, then as @host, then as
//     user@. The first of these that is a target gives the commands; without any, the
//     message bounces.
//   - If there is an owner, the envelope sender of what is forwarded is the owner, but
//     for bounces.
//   - An address among the commands that is a target itself, and has no owner, stands
//     for its commands. All others are forwarded to.
//   - Programs are run as they are met; the forwards come last, all at once.
//
// No address and no list is dealt with twice, so loops end. Whoever can write a list
// can make fastforward read any file that everybody can read; he can never make it
// run a program.
package fastforward

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"goqmail/internal/deliver/forward"
	"goqmail/internal/deliver/prefix"
	"goqmail/internal/host/cdb"
	"goqmail/internal/host/errno"
	"goqmail/internal/host/getopt"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/submit"
)

const usage = outcome.Usage("fastforward [ -nNpPdD ] data.cdb")

// maxTotal bounds what is read of lists and records, in bytes.
const maxTotal = 256 << 20

var (
	errNoMailbox = outcome.Fail("Sorry, no mailbox here by that name. (#5.1.1)")
	errTooMuch   = errors.New("too many addresses")
)

// A Delivery is a message and how to forward it.
type Delivery struct {
	Env   forward.Environment
	Queue submit.Queue
	Files []*os.File // descriptors of programs; the first is the message

	database    string
	dryRun      bool // only say what would be done
	passThrough bool // exit codes are for what follows in the .qmail file
	byDefault   bool // the recipient is of DEFAULT and HOST
}

// Parse reads the arguments.
func (d *Delivery) Parse(args []string) error {
	options := getopt.New(args, "nNpPdD")
	for options.Next() {
		switch options.Letter {
		case 'n', 'N':
			d.dryRun = options.Letter == 'n'
		case 'p', 'P':
			d.passThrough = options.Letter == 'p'
		case 'd', 'D':
			d.byDefault = options.Letter == 'd'
		default:
			return &outcome.Status{
				Code: usage.Outcome().ExitCode(),
				Text: "fastforward: " + options.Text + "\nfastforward: " + usage.Error(),
			}
		}
	}
	rest := options.Rest()
	if len(rest) == 0 {
		return usage
	}
	d.database = rest[0]
	return nil
}

// Run forwards the message. The error is an outcome.Status where the exit code or the
// text is that of a success, and in a dry run the text says what would be done.
func (d *Delivery) Run() error {
	db, err := cdb.Open(d.database)
	if err != nil {
		return d.readError(err)
	}
	defer db.Close()
	recipient, err := d.recipient()
	if err != nil {
		return err
	}
	sender, set := d.Env("SENDER")
	switch {
	case !set && d.dryRun:
		sender = "original envelope sender"
	case !set:
		return outcome.Fail("SENDER not set")
	}
	e := expansion{Delivery: d, db: db, sender: sender, done: map[string]bool{}}
	err = e.begin(recipient)
	for err == nil && len(e.todo) > 0 {
		err = e.step()
	}
	switch {
	case err == errNoMailbox && d.passThrough:
		return nil
	case err == errNoMailbox:
		return &outcome.Status{Code: outcome.Failure.ExitCode(), Text: err.Error()}
	case err != nil:
		return err
	case d.dryRun:
		return d.success(e.describe())
	case len(e.forwards) == 0:
		return d.success("")
	}
	slices.Reverse(e.forwards)
	qp, err := forward.As(e.sender, d.Env, d.Queue, prefix.Whole(d.Files[0]), e.forwards)
	if err != nil {
		return err
	}
	return d.success(fmt.Sprintf("fastforward: qp %d", qp))
}

// success is what a success looks like to qmail-local.
func (d *Delivery) success(text string) error {
	code := 0
	if d.passThrough {
		code = enough
	}
	return &outcome.Status{Code: code, Text: text}
}

// enough makes qmail-local leave the rest of the .qmail file alone.
const enough = 99

func (d *Delivery) readError(err error) error {
	return fmt.Errorf("unable to read %s: %s", d.database, errno.Text(err))
}

// recipient is the address that is looked for.
func (d *Delivery) recipient() (string, error) {
	if !d.byDefault {
		recipient, set := d.Env("RECIPIENT")
		if !set {
			return "", outcome.Fail("$RECIPIENT must be set")
		}
		return recipient, nil
	}
	local, set := d.Env("DEFAULT")
	if !set {
		local, set = d.Env("EXT")
	}
	if !set {
		return "", outcome.Fail("$DEFAULT or $EXT must be set")
	}
	host, set := d.Env("HOST")
	if !set {
		return "", outcome.Fail("$HOST must be set")
	}
	return local + "@" + host, nil
}
