// Package queuectl shows the queue to an admin and changes what is in it
// (qmail-queuectl(8)).
//
//	qmail-queuectl list    [-j] [choice]                  the messages
//	qmail-queuectl show    [-j] number ...                all that is known of some
//	qmail-queuectl count   [-j] [-S] [choice]                 by domain and age
//	qmail-queuectl delete  [-y count] choice              remove; nobody is told
//	qmail-queuectl bounce  [-y count] [-m reason] choice  give up; the sender is told
//	qmail-queuectl requeue choice                         queue anew, to be routed anew
//	qmail-queuectl hold | release | retry choice
//	qmail-queuectl pause [domain ...]                     without one: which are paused
//	qmail-queuectl resume domain ...
//	qmail-queuectl check
//	qmail-queuectl repair [split]
//
//	choice = [-aH] [-s sender] [-r recipient] [-d domain] [-o age] [-n age]
//	         [-g size] [-l size] [number ...]
//
// # Who does it
//
// While qmail-send runs, it does everything (package wire/queuectl), and nothing here
// touches the queue. While it does not, this does, and holds qmail-send's lock, so that
// it cannot start meanwhile. An order that only qmail-send can carry out, as a bounce, is
// then left in the queue as a mark (queue.Mark) for its next start. What only reads works
// in any case, also beside the qmail-send of C.
//
// # What would lose mail
//
// delete and bounce do nothing without -y and the number of messages that they are
// about. Without it they tell what they would do, and the number. What is done is done to
// the messages that were found, even if there are others of the same numbers by then.
package queuectl

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"goqmail/internal/admin/install"
	"goqmail/internal/admin/mend"
	"goqmail/internal/host/getopt"
	"goqmail/internal/mail/outcome"
	wire "goqmail/internal/wire/queuectl"
	"goqmail/queue"
)

// A Desk is where an admin gives orders.
type Desk struct {
	Home     string
	Accounts install.Accounts
	Out      io.Writer // what was asked for
	Notices  io.Writer // what could not be done, a line for each message
	Now      time.Time // in the time zone in which times are shown
}

// A command is one of the commands.
type command struct {
	usage   string // behind its name
	options string // the letters of those besides a choice
	choice  bool   // takes a choice of messages
	run     func(*call) error
}

const choiceUsage = " [ -aH ] [ -s sender ] [ -r recipient ] [ -d domain ] [ -o age ] [ -n age ] [ -g size ] [ -l size ] [ number ... ]"

var commands = map[string]command{
	"list":    {"[ -j ]" + choiceUsage, "j", true, (*call).list},
	"show":    {"[ -j ] number ...", "j", true, (*call).show},
	"count":   {"[ -j ] [ -S ]" + choiceUsage, "jS", true, (*call).count},
	"delete":  {"[ -y count ]" + choiceUsage, "y", true, (*call).change},
	"bounce":  {"[ -y count ] [ -m reason ]" + choiceUsage, "ym", true, (*call).change},
	"requeue": {choiceUsage[1:], "", true, (*call).change},
	"hold":    {choiceUsage[1:], "", true, (*call).change},
	"release": {choiceUsage[1:], "", true, (*call).change},
	"retry":   {choiceUsage[1:], "", true, (*call).change},
	"pause":   {"[ domain ... ]", "", false, (*call).pause},
	"resume":  {"domain ...", "", false, (*call).pause},
	"check":   {"", "", false, (*call).check},
	"repair":  {"[ split ]", "", false, (*call).repair},
}

// A call is one call of the program.
type call struct {
	Desk
	command
	verb   wire.Verb
	out    *bufio.Writer
	choice choice
	json   bool   // -j
	sender bool   // -S
	yes    string // -y
	reason string // -m
	args   []string
}

// Run does what the arguments ask for.
func (d Desk) Run(args []string) error {
	if len(args) == 0 {
		return usage()
	}
	c := &call{Desk: d, verb: wire.Verb(args[0]), out: bufio.NewWriter(d.Out)}
	var known bool
	if c.command, known = commands[args[0]]; !known {
		return usage()
	}
	if err := c.parse(args[1:]); err != nil {
		return err
	}
	return errors.Join(c.run(c), c.out.Flush())
}

// usage names all commands.
func usage() error {
	var names []string
	for name := range commands {
		names = append(names, name)
	}
	slices.Sort(names)
	return outcome.Usage("qmail-queuectl { " + strings.Join(names, " | ") + " } ...")
}

// wrong says how the command is to be called.
func (c *call) wrong() error {
	return outcome.Usage(strings.TrimRight("qmail-queuectl "+string(c.verb)+" "+c.usage, " "))
}

func (c *call) parse(args []string) error {
	accepted := c.options
	if c.command.choice {
		accepted += choiceOptions
	}
	options := getopt.New(args, "aHjSs:r:d:o:n:g:l:y:m:")
	for options.Next() {
		if strings.IndexByte(accepted, options.Letter) < 0 {
			return c.wrong()
		}
		switch options.Letter {
		case 'j':
			c.json = true
		case 'S':
			c.sender = true
		case 'y':
			c.yes = options.Value
		case 'm':
			c.reason = options.Value
		default:
			if err := c.choice.set(options.Letter, options.Value, c.Now); err != nil {
				return err
			}
		}
	}
	c.args = options.Rest()
	if !c.command.choice {
		return nil
	}
	for _, a := range c.args {
		n, ok := queue.ParseNumber(strings.TrimPrefix(a, "#")) // as qmail-qread prints it
		if !ok {
			return outcome.Fail("%s is no number of a message", a)
		}
		c.choice.numbers = append(c.choice.numbers, n)
	}
	slices.Sort(c.choice.numbers)
	c.choice.numbers = slices.Compact(c.choice.numbers)
	return nil
}

// confirmed are the commands that need -y, with what they do.
var confirmed = map[wire.Verb]string{
	wire.Delete: "remove %d messages with %d recipients that are not done, and tell nobody",
	wire.Bounce: "give up on %d messages with %d recipients that are not done, and tell their senders",
}

// change has something done to messages.
func (c *call) change() error {
	if c.choice.empty() {
		return c.wrong()
	}
	c.choice.marked = c.verb == wire.Release && len(c.choice.numbers) == 0
	if len(c.reason) > wire.MaxReason || strings.ContainsRune(c.reason, 0) {
		return outcome.Fail("the reason has more than %d bytes", wire.MaxReason)
	}
	q, err := c.openToChange()
	if err != nil {
		return err
	}
	defer q.close()
	if c.verb == wire.Retry && c.choice.everything() {
		return q.ask(wire.Request{Verb: wire.Run}, wire.Answers{})
	}
	var names []wire.Name
	var sample []wire.Message
	recipients := 0
	missing, err := c.find(q, func(m wire.Message) error {
		names = append(names, wire.Name{Number: m.Number, Born: m.Born.Unix()})
		recipients += undone(m)
		if len(sample) < maxSample {
			sample = append(sample, m)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if question := confirmed[c.verb]; question != "" && len(names) > 0 && c.yes != strconv.Itoa(len(names)) {
		for _, m := range sample {
			c.printMessage(m)
		}
		if more := len(names) - len(sample); more > 0 {
			fmt.Fprintf(c.out, "... and %d more\n", more)
		}
		return outcome.Fail("this would "+question+"; to have it done, add -y %d", len(names), recipients, len(names))
	}
	return c.apply(q, names, missing)
}

// maxSample is how many messages are shown before a confirmation.
const maxSample = 20

// apply asks for a change of messages and tells how it went.
func (c *call) apply(q source, names []wire.Name, missing int) error {
	counts := map[wire.Code]int{wire.Unknown: missing}
	for part := range slices.Chunk(names, wire.MaxMessages) {
		err := q.ask(wire.Request{Verb: c.verb, Reason: c.reason, Messages: part}, wire.Answers{Result: func(r wire.Result) {
			counts[r.Code]++
			c.tell(r)
		}})
		if err != nil {
			return err
		}
	}
	fmt.Fprintf(c.out, "%s: %d done", c.verb, counts[wire.Done])
	if n := counts[wire.Later]; n > 0 {
		fmt.Fprintf(c.out, ", %d under way", n)
	}
	if n := counts[wire.Unknown] + counts[wire.Failed] + counts[wire.Busy]; n > 0 {
		fmt.Fprintf(c.out, ", %d not", n)
	}
	c.out.WriteByte('\n')
	switch {
	case counts[wire.Unknown]+counts[wire.Failed] > 0:
		return &outcome.Status{Code: outcome.Failure.ExitCode()}
	case counts[wire.Busy] > 0:
		return &outcome.Status{Code: outcome.Deferral.ExitCode()}
	}
	return nil
}

// tell says what was not simply done to a message.
func (c *call) tell(r wire.Result) {
	text := r.Text
	switch r.Code {
	case wire.Done:
		return
	case wire.Later:
		if text == "" {
			text = "will be done when deliveries that run are over"
		}
	case wire.Unknown:
		text = "no such message"
	case wire.Busy:
		text = "is coming in or leaving, try again"
	}
	fmt.Fprintf(c.Notices, "%d: %s\n", r.Number, printable(text))
}

// pause pauses or resumes domains, or tells which are paused.
func (c *call) pause() error {
	if len(c.args) == 0 && c.verb == wire.Resume {
		return c.wrong()
	}
	for _, d := range c.args {
		if !wire.ValidDomain(d) {
			return outcome.Fail("%s is no domain", printable(d))
		}
	}
	if len(c.args) == 0 {
		q, err := c.openToRead()
		if err != nil {
			return err
		}
		defer q.close()
		return q.ask(wire.Request{Verb: wire.Paused}, wire.Answers{Domain: func(d wire.Domain) { fmt.Fprintln(c.out, printable(string(d))) }})
	}
	q, err := c.openToChange()
	if err != nil {
		return err
	}
	defer q.close()
	for part := range slices.Chunk(c.args, maxDomains) {
		if err := q.ask(wire.Request{Verb: c.verb, Domains: part}, wire.Answers{}); err != nil {
			return err
		}
	}
	return nil
}

// maxDomains is how many domains of any length fit into a request.
const maxDomains = wire.MaxRequest/(wire.MaxDomain+1) - 1

// check tells what is wrong with the queue's files.
func (c *call) check() error {
	if len(c.args) > 0 {
		return c.wrong()
	}
	wrong, err := mend.Check(c.Home, c.Accounts)
	for _, line := range wrong {
		fmt.Fprintln(c.out, line)
	}
	if err == nil && len(wrong) > 0 {
		err = outcome.Fail("%d things are not as they should be", len(wrong))
	}
	return err
}

// repair puts them right.
func (c *call) repair() error {
	var split uint64
	if len(c.args) > 0 {
		n, err := strconv.ParseUint(c.args[0], 10, 32)
		if split = n; err != nil || n == 0 {
			return c.wrong()
		}
	}
	if len(c.args) > 1 {
		return c.wrong()
	}
	done, err := mend.Repair(c.Home, c.Accounts, split)
	for _, line := range done {
		fmt.Fprintln(c.out, line)
	}
	return err
}
