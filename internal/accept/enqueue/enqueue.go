// Package enqueue is what qmail-queue does with one message (qmail-queue(8)): it
// reads the message, then the envelope, and puts both into the queue.
//
// The envelope is
//
//	envelope = "F" sender NUL { "T" recipient NUL } NUL
//
// with addresses of up to MaxAddress bytes. It is copied into intd/N as it comes,
// behind two records that say who brought it (see queue.Record), so that any
// number of recipients takes no memory. What follows the last NUL is not read.
//
// The message gets one line before its first:
//
//	Received: (qmail 4711 invoked by uid 1000); 24 Nov 2026 14:05:00 -0000
//
// where "by uid N" is "by alias", "from network" or "for bounce" for the users
// alias, qmaild and qmails.
package enqueue

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"goqmail/internal/mail/date822"
	"goqmail/queue"
)

// MaxAddress is the longest address in an envelope, in bytes.
const MaxAddress = 1002

// What can be wrong with what is read, for errors.Is.
var (
	ErrRead    = errors.New("unable to read the message or the envelope")
	ErrAddress = fmt.Errorf("an address of more than %d bytes", MaxAddress)
	ErrFormat  = errors.New("malformed envelope")
)

// A Submitter is who runs qmail-queue.
type Submitter struct {
	PID  int // process number of qmail-queue, or what stands for it
	UID  uint32
	Name string // alias, qmaild, qmails, or anything else
}

// invoked is how the Received field calls the submitter.
func (s Submitter) invoked() string {
	switch s.Name {
	case "alias":
		return "by alias"
	case "qmaild":
		return "from network"
	case "qmails":
		return "for bounce"
	}
	return fmt.Sprintf("by uid %d", s.UID)
}

// Accept puts one message into the queue. When it returns nil, the message is
// there and durable, and the trigger has been pulled. On an error nothing of it
// is left in the queue, unless the very last step failed: see queue.Entry.Commit.
func Accept(q *queue.Queue, message, envelope io.Reader, by Submitter, now func() time.Time) error {
	begun := now()
	e, err := q.Begin(begun)
	if err != nil {
		return err
	}
	if err := receive(e, message, envelope, by, begun); err != nil {
		e.Abort()
		return err
	}
	if err := e.Commit(now()); err != nil {
		return err
	}
	q.PullTrigger()
	return nil
}

// receive copies the message and the envelope into their files.
func receive(e *queue.Entry, message, envelope io.Reader, by Submitter, now time.Time) error {
	w := newWriter(e.Message)
	fmt.Fprintf(w, "Received: (qmail %d invoked %s); %s\n", by.PID, by.invoked(), date822.Format(now))
	if _, err := io.Copy(w, source{message}); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	file, err := e.Envelope()
	if err != nil {
		return err
	}
	w = newWriter(file)
	fmt.Fprintf(w, "u%d\x00p%d\x00", by.UID, by.PID)
	if err := copyEnvelope(w, bufio.NewReaderSize(source{envelope}, 16<<10)); err != nil {
		return err
	}
	return w.Flush()
}

// copyEnvelope checks an envelope as it copies it.
func copyEnvelope(w *bufio.Writer, r *bufio.Reader) error {
	for want := byte('F'); ; want = 'T' {
		kind, err := r.ReadByte()
		switch {
		case err != nil:
			return readError(err)
		case kind == 0 && want == 'T':
			return nil
		case kind != want:
			return ErrFormat
		}
		if err := w.WriteByte(kind); err != nil {
			return err
		}
		if err := copyAddress(w, r); err != nil {
			return err
		}
	}
}

// copyAddress copies an address and the NUL behind it.
func copyAddress(w *bufio.Writer, r *bufio.Reader) error {
	address, err := r.ReadSlice(0) // the buffer of r is larger than any address
	if len(address) > MaxAddress+1 || err == bufio.ErrBufferFull {
		return ErrAddress
	}
	if err != nil {
		if len(address) > MaxAddress {
			return ErrAddress
		}
		return readError(err)
	}
	_, err = w.Write(address)
	return err
}

// A source marks the errors of reading, to tell them from those of writing.
type source struct{ r io.Reader }

func (s source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		err = readError(err)
	}
	return n, err
}

func readError(err error) error {
	if errors.Is(err, ErrRead) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrRead, err)
}

// newWriter writes to a file of the queue, with queue.ErrWrite as its error.
func newWriter(w io.Writer) *bufio.Writer {
	return bufio.NewWriterSize(sink{w}, 64<<10)
}

type sink struct{ w io.Writer }

func (s sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil {
		err = fmt.Errorf("%w: %w", queue.ErrWrite, err)
	}
	return n, err
}
