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
package submit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"goqmail/internal/host/child"
	"goqmail/internal/mail/outcome"
)

// maxText bounds what qmail-queue says on descriptor 6, in bytes.
const maxText = 255

// A Queue is the way to a qmail-queue.
type Queue struct {
	Home    string   // working directory of qmail-queue
	Program string   // empty means bin/qmail-queue; relative to Home
	Env     []string // environment of qmail-queue; nil means that of this process
	Errors  *os.File // descriptor 2 of qmail-queue; nil means that of this process
}

// FromEnvironment returns the way to the qmail-queue of an installation, or to
// the program that QMAILQUEUE names.
func FromEnvironment(home string) Queue {
	return Queue{Home: home, Program: os.Getenv("QMAILQUEUE")}
}

// A Message is a message on its way into the queue. It is not safe for use by
// several goroutines.
type Message struct {
	process  *child.Process
	message  *os.File // descriptor 0 of qmail-queue
	envelope *os.File // descriptor 1
	text     *os.File // descriptor 6
	w        *bufio.Writer
	started  error // why qmail-queue does not run
	failed   error // the first write that failed
	closed   bool
}

// A Rejection is what Close returns for a message that is not in the queue.
// outcome.Of tells whether it may be accepted later.
type Rejection struct {
	Text      string // such as "qq write error or disk full (#4.3.0)"
	Permanent bool
}

func (r *Rejection) Error() string { return r.Text }

// Outcome tells outcome.Of whether trying again may help.
func (r *Rejection) Outcome() outcome.Outcome {
	if r.Permanent {
		return outcome.Failure
	}
	return outcome.Deferral
}

// Open starts qmail-queue. An error means that there was no pipe or process to
// be had; that qmail-queue cannot be run is told by Close.
func (q Queue) Open() (*Message, error) {
	m := &Message{}
	var theirs [3]*os.File
	var err error
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
		if err != nil {
			m.closeAll()
		}
	}()
	if theirs[0], m.message, err = child.PipeTo(); err != nil {
		return nil, err
	}
	if theirs[1], m.envelope, err = child.PipeTo(); err != nil {
		return nil, err
	}
	if theirs[2], m.text, err = child.PipeFrom(); err != nil {
		return nil, err
	}
	program := q.Program
	if program == "" {
		program = "bin/qmail-queue"
	}
	complaints := q.Errors
	if complaints == nil {
		complaints = os.Stderr
	}
	m.w = bufio.NewWriterSize(m.message, 16<<10)
	m.process, m.started = child.Start(child.Command{
		Path:  program,
		Args:  []string{program},
		Env:   q.Env,
		Dir:   q.Home,
		Files: []*os.File{theirs[0], theirs[1], complaints, nil, nil, nil, theirs[2]},
	})
	if m.started != nil {
		if _, err := os.Stat(q.Home); err != nil {
			m.started = rejection(61, "")
		} else {
			m.started = rejection(120, "")
		}
	}
	return m, nil
}

// Pid is the process number of qmail-queue, which is how the log names the
// message ("qp").
func (m *Message) Pid() int {
	if m.process == nil {
		return 0
	}
	return m.process.Pid
}

// Write adds to the text of the message. It never fails: what went wrong is
// told by Close, so that a whole message can be read from a client first.
func (m *Message) Write(p []byte) (int, error) {
	if m.failed == nil {
		_, m.failed = m.w.Write(p)
	}
	return len(p), nil
}

// WriteString is Write for a string.
func (m *Message) WriteString(s string) (int, error) {
	if m.failed == nil {
		_, m.failed = m.w.WriteString(s)
	}
	return len(s), nil
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
	m.endText()
	if m.failed == nil {
		m.failed = m.w.WriteByte(0)
	}
	if m.failed == nil {
		m.failed = m.w.Flush()
	}
	m.envelope.Close()
	text, _ := io.ReadAll(io.LimitReader(m.text, maxText))
	m.text.Close()
	if m.started != nil {
		return m.started
	}
	status, err := m.process.Wait()
	switch {
	case err != nil:
		return &Rejection{Text: "qq waitpid surprise (#4.3.0)"}
	case status.Crashed:
		return &Rejection{Text: "qq crashed (#4.3.0)"}
	case status.Code == 0 && m.failed != nil:
		return rejection(54, "")
	case status.Code == 0:
		return nil
	}
	return rejection(status.Code, string(text))
}

// endText closes descriptor 0 of qmail-queue and turns to the envelope.
func (m *Message) endText() {
	if m.message == nil {
		return
	}
	if m.failed == nil {
		m.failed = m.w.Flush()
	}
	m.message.Close()
	m.message = nil
	m.w.Reset(m.envelope)
}

func (m *Message) record(kind byte, address string) {
	if m.failed != nil {
		return
	}
	if strings.IndexByte(address, 0) >= 0 {
		m.failed = fmt.Errorf("address %q has a NUL byte", address)
		return
	}
	m.w.WriteByte(kind)
	m.w.WriteString(address)
	m.failed = m.w.WriteByte(0)
}

func (m *Message) closeAll() {
	for _, f := range []*os.File{m.message, m.envelope, m.text} {
		f.Close()
	}
}

// rejection translates an exit code of qmail-queue.
func rejection(code int, text string) *Rejection {
	temporary := func(text string) *Rejection { return &Rejection{Text: text} }
	permanent := func(text string) *Rejection { return &Rejection{Text: text, Permanent: true} }
	switch {
	case code == 82 && len(text) > 2:
		if i := strings.IndexByte(text, 0); i >= 0 {
			text = text[:i]
		}
		return &Rejection{Text: text[1:], Permanent: text[0] == 'D'}
	case code == 11, code == 115: // 115 is what old ones say
		return permanent("envelope address too long for qq (#5.1.3)")
	case code == 31:
		return permanent("mail server permanently rejected message (#5.3.0)")
	case code == 51:
		return temporary("qq out of memory (#4.3.0)")
	case code == 52:
		return temporary("qq timeout (#4.3.0)")
	case code == 53:
		return temporary("qq write error or disk full (#4.3.0)")
	case code == 54:
		return temporary("qq read error (#4.3.0)")
	case code == 55:
		return temporary("qq unable to read configuration (#4.3.0)")
	case code == 56:
		return temporary("qq trouble making network connection (#4.3.0)")
	case code == 61:
		return temporary("qq trouble in home directory (#4.3.0)")
	case code >= 62 && code <= 66:
		return temporary("qq trouble creating files in queue (#4.3.0)")
	case code == 71:
		return temporary("mail server temporarily rejected message (#4.3.0)")
	case code == 72:
		return temporary("connection to mail server timed out (#4.4.1)")
	case code == 73:
		return temporary("connection to mail server rejected (#4.4.1)")
	case code == 74:
		return temporary("communication with mail server failed (#4.4.2)")
	case code == 81, code == 91:
		return temporary("qq internal bug (#4.3.0)")
	case code == 120:
		return temporary("unable to exec qq (#4.3.0)")
	case code >= 11 && code <= 40:
		return permanent("qq permanent problem (#5.3.0)")
	}
	return temporary("qq temporary problem (#4.3.0)")
}
