// Package activity writes qmail-send's activity record, qmail-log(5): lines that
// people and their programs read, so every byte of them is fixed.
//
// Lines are collected and then written by their one owner, qmail-send's
// scheduler. Something that works beside it collects the lines of one message by
// itself and hands them over, so that they stay together.
//
// What comes from outside (addresses, reports of deliveries) is made safe: a
// newline becomes /, and whatever is not printable ASCII, spaces and % become _.
package activity

import (
	"strconv"

	"goqmail/internal/dispatch/route"
	"goqmail/queue"
)

// Lines are lines of the record. The zero Lines is empty.
type Lines struct{ text []byte }

// Text is what was collected.
func (l *Lines) Text() []byte { return l.text }

// Clear forgets all lines.
func (l *Lines) Clear() { l.text = l.text[:0] }

// Take adds the lines of another.
func (l *Lines) Take(other Lines) { l.text = append(l.text, other.text...) }

// A Channel is what a status line tells of one.
type Channel struct{ Deliveries, Limit int }

// Status tells how many deliveries there are.
func (l *Lines) Status(channels [route.Channels]Channel, exiting bool) {
	l.add("status:")
	for c, n := range channels {
		l.add(" ", route.Channel(c).String(), " ")
		l.number(uint64(n.Deliveries))
		l.add("/")
		l.number(uint64(n.Limit))
	}
	if exiting {
		l.add(" exitasap")
	}
	l.add("\n")
}

// Exiting is the last line.
func (l *Lines) Exiting() { l.add("status: exiting\n") }

// New tells that a message is preprocessed.
func (l *Lines) New(n queue.Number) { l.add("new msg ", n.String(), "\n") }

// Info tells what is known of a new message. qp is the process number of the
// qmail-queue that queued it, uid who ran that.
func (l *Lines) Info(n queue.Number, bytes int64, sender string, qp, uid uint64) {
	l.add("info msg ", n.String(), ": bytes ")
	l.number(uint64(bytes))
	l.add(" from <")
	l.safe(sender)
	l.add("> qp ")
	l.number(qp)
	l.add(" uid ")
	l.number(uid)
	l.add("\n")
}

// Bounce tells that a bounce of a message was queued.
func (l *Lines) Bounce(n queue.Number, qp int) {
	l.add("bounce msg ", n.String(), " qp ", strconv.Itoa(qp), "\n")
}

// TripleBounce tells that notes on failures are thrown away.
func (l *Lines) TripleBounce(notes string) { l.add("triple bounce: discarding ", notes, "\n") }

// End tells that a message leaves the queue.
func (l *Lines) End(n queue.Number) { l.add("end msg ", n.String(), "\n") }

// Ordered tells what an admin has ordered (qmail-queuectl(8)).
func (l *Lines) Ordered(uid uint32, what, of string) {
	l.add("queuectl: uid ")
	l.number(uint64(uid))
	l.add(": ", what)
	if of != "" {
		l.add(" ")
		l.safe(of)
	}
	l.add("\n")
}

// OrderedMessage is Ordered about a message.
func (l *Lines) OrderedMessage(uid uint32, what string, n queue.Number) {
	l.Ordered(uid, what+" msg "+n.String(), "")
}

// Requeued tells that a message was queued anew for the recipients that were left.
func (l *Lines) Requeued(n queue.Number, qp int) {
	l.add("queuectl: requeued msg ", n.String(), " qp ", strconv.Itoa(qp), "\n")
}

// Starting tells that a delivery begins.
func (l *Lines) Starting(delivery uint64, n queue.Number, c route.Channel, recipient string) {
	l.add("starting delivery ")
	l.number(delivery)
	l.add(": msg ", n.String(), " to ", c.String(), " ")
	l.safe(recipient)
	l.add("\n")
}

// Success tells that a delivery is done.
func (l *Lines) Success(delivery uint64, report string) { l.outcome(delivery, "success", report) }

// Deferral tells that a delivery is to be tried again.
func (l *Lines) Deferral(delivery uint64, report string) { l.outcome(delivery, "deferral", report) }

// Failure tells that a delivery has failed for good.
func (l *Lines) Failure(delivery uint64, report string) { l.outcome(delivery, "failure", report) }

func (l *Lines) outcome(delivery uint64, outcome, report string) {
	l.add("delivery ")
	l.number(delivery)
	l.add(": ", outcome, ": ")
	l.safe(report)
	l.add("\n")
}

// Mangled tells that nobody knows how a delivery ended.
func (l *Lines) Mangled(delivery uint64) {
	l.add("delivery ")
	l.number(delivery)
	l.add(": report mangled, will defer\n")
}

// Warning tells of trouble that will be tried again by itself.
func (l *Lines) Warning(text ...string) { l.line("warning: ", text) }

// Alert tells of trouble that somebody should look after.
func (l *Lines) Alert(text ...string) { l.line("alert: ", text) }

func (l *Lines) line(level string, text []string) {
	l.add(level)
	l.add(text...)
	l.add("\n")
}

func (l *Lines) add(text ...string) {
	for _, t := range text {
		l.text = append(l.text, t...)
	}
}

func (l *Lines) number(n uint64) { l.text = strconv.AppendUint(l.text, n, 10) }

func (l *Lines) safe(text string) {
	for _, c := range []byte(text) {
		switch {
		case c == '\n':
			c = '/'
		case c <= ' ', c > '~', c == '%':
			c = '_'
		}
		l.text = append(l.text, c)
	}
}
