// Package submit hands a message to qmail-queue, the only way into the queue.
//
// qmail-queue (qmail-queue(8)) reads the message from descriptor 0 and then the
// envelope from descriptor 1:
//
//	envelope = "F" sender NUL { "T" recipient NUL } NUL
//
// and says how it went by its exit code; with exit code 82 it writes the
// text of its own on descriptor 6, D or Z first. Only when both are closed and
// the code was 0 is the message in the queue. A program named by QMAILQUEUE
// stands in for qmail-queue; its path, when relative, starts at the home.
//
//	m, err := q.Open()
//	m.Write(text)     // as often as needed
//	m.From(sender)
//	m.To(recipient)   // as often as needed
//	err = m.Close()   // nil: accepted
//
// If the message turns out to be unwanted, Cancel sees to it that qmail-queue
// accepts nothing. The addresses must not hold a NUL byte.
//
// # Residence
//
// A program that submits many messages keeps one qmail-queue open for them
// (package resident), by a Queue with a Resident. A message of up to Small bytes,
// with its envelope, goes into the request; a larger one goes through two pipes whose
// other ends go with the request, and is read as it comes. They are:
//
//	request  "message" text envelope
//	request  "pipes"                       with the ends of the two
//	reply    code qp text
//
// code and text are the exit code and what descriptor 6 would have said. qp is the
// number by which the log names the message. Where qmail-queue is not our own
// program, or Program is set, each message gets a process.
package submit

import (
	"bufio"
	"errors"
	"fmt"

	"os"
	"strings"
)

// A Queue is the way to a qmail-queue.
type Queue struct {
	Home     string    // working directory of qmail-queue
	Program  string    // empty means bin/qmail-queue; relative to Home
	Env      []string  // environment of qmail-queue; nil means that of this process
	Errors   *os.File  // descriptor 2 of qmail-queue; nil means that of this process
	Resident *Resident // keeps qmail-queue open, unless Program is set; it has neither of the two
}

// FromEnvironment returns the way to the qmail-queue of an installation, or to
// the program that QMAILQUEUE names.
func FromEnvironment(home string) Queue {
	return Queue{Home: home, Program: os.Getenv("QMAILQUEUE")}
}

// A Message is a message on its way into the queue. It is not safe for use by
// several goroutines.
//
// While parcel is not nil, all of the message so far is in it, and no qmail-queue
// has been asked. After that, it goes through the pipes.
type Message struct {
	queue  Queue
	parcel *parcel

	w        *bufio.Writer
	message  *os.File // our end of descriptor 0 of qmail-queue
	envelope *os.File // and of descriptor 1

	wait   func() verdict // for qmail-queue, once the pipes are closed
	qp     int
	failed error // the first write that failed
	closed bool
}

// A verdict is what qmail-queue says of a message.
type verdict struct {
	qp  int
	err error // nil or a *Rejection
}

// Open begins a message. An error means that there was no pipe or process to
// be had; that qmail-queue cannot be run is told by Close.
func (q Queue) Open() (*Message, error) {
	m := &Message{queue: q}
	if q.Resident != nil && q.Program == "" {
		m.parcel = newParcel()
		return m, nil
	}
	process, err := q.start()
	if err != nil {
		return nil, err
	}
	m.wait = process.wait
	m.qp = process.pid()
	m.into(process.pipes, 16<<10)
	return m, nil
}

// into turns to two pipes, with a buffer of some size before them.
func (m *Message) into(p pipes, buffer int) {
	m.message, m.envelope = p.message, p.envelope
	m.w = bufio.NewWriterSize(m.message, buffer)
}

// Pid is how the log names the message ("qp"): the process number of qmail-queue, or
// what a resident one says instead. Before Close it may be 0.
func (m *Message) Pid() int { return m.qp }

// Write adds to the text of the message. It never fails: what went wrong is
// told by Close, so that a whole message can be read from a client first.
func (m *Message) Write(p []byte) (int, error) {
	if m.parcel != nil && m.parcel.write(p) || !m.piped() {
		return len(p), nil
	}
	_, m.failed = m.w.Write(p)
	return len(p), nil
}

// WriteString is Write for a string.
func (m *Message) WriteString(s string) (int, error) {
	if m.parcel != nil && m.parcel.writeString(s) || !m.piped() {
		return len(s), nil
	}
	_, m.failed = m.w.WriteString(s)
	return len(s), nil
}

// piped makes sure that what is written next goes through the pipes. It is false
// where nothing is to be written any more.
func (m *Message) piped() bool {
	if m.parcel != nil && m.failed == nil {
		m.unpack()
	}
	return m.failed == nil
}

// From ends the text and gives the envelope sender.
func (m *Message) From(sender string) {
	m.endText()
	m.record('F', sender)
}

// To gives an envelope recipient.
func (m *Message) To(recipient string) { m.record('T', recipient) }

// Cancel makes sure that Close does not get the message accepted. What has
// been written stays without its envelope, which qmail-queue refuses.
func (m *Message) Cancel() {
	if m.failed == nil {
		m.failed = errors.New("canceled")
	}
}

// Abandon gives a message up that has not been closed, and does nothing after
// Close. Deferred, it leaves no qmail-queue waiting for the rest of a message,
// whatever has happened, and nothing of it queued.
func (m *Message) Abandon() {
	if !m.closed {
		m.Cancel()
		m.Close()
	}
}

// Close ends the envelope and waits for qmail-queue. The message is in the
// queue if and only if it returns nil; otherwise the error is a *Rejection.
func (m *Message) Close() error {
	m.closed = true
	if m.parcel != nil {
		if v, asked := m.submitParcel(); asked {
			m.qp = v.qp
			return v.err
		}
	}
	m.endText()
	if m.failed == nil {
		m.failed = m.w.WriteByte(0)
	}
	if m.failed == nil {
		m.failed = m.w.Flush()
	}
	m.envelope.Close()
	v := m.wait()
	m.qp = v.qp
	if v.err == nil && m.failed != nil {
		return rejection(54, "")
	}
	return v.err
}

// endText closes descriptor 0 of qmail-queue and turns to the envelope.
func (m *Message) endText() {
	switch {
	case m.parcel != nil:
		m.parcel.endText()
	case m.message != nil:
		if m.failed == nil {
			m.failed = m.w.Flush()
		}
		m.message.Close()
		m.message = nil
		m.w.Reset(m.envelope)
	}
}

func (m *Message) record(kind byte, address string) {
	if m.failed != nil {
		return
	}
	if strings.IndexByte(address, 0) >= 0 {
		m.failed = fmt.Errorf("address %q has a NUL byte", address)
		return
	}
	if m.parcel != nil && m.parcel.record(kind, address) || !m.piped() {
		return
	}
	m.w.WriteByte(kind)
	m.w.WriteString(address)
	m.failed = m.w.WriteByte(0)
}
