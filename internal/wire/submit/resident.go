package submit

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"goqmail/internal/host/child"
	"goqmail/internal/wire/resident"
)

// Small is how long a message may be, with its envelope, to go into the request to a
// resident qmail-queue, in bytes.
const Small = 32 << 10

// Numbers is how many messages a resident qmail-queue takes in its life, since so
// many have a number of their own (package enqueue).
const Numbers = 9999

// AtOnce is how many of them it takes at the same time. A message above that gets a
// process of its own: those that are underway may be with slow clients.
const AtOnce = 250

// The kinds of requests.
const (
	inMessage = "message"
	inPipes   = "pipes"
)

// A Resident keeps a qmail-queue open. It may be used for many messages at once.
type Resident struct{ pool *resident.Pool }

// NewResident keeps the qmail-queue of an installation; it runs while there are
// messages, and for some seconds longer.
func NewResident(home string) *Resident {
	return &Resident{resident.NewPool(resident.Config{
		Path:     home + "/bin/qmail-queue",
		Requests: Numbers,
		InFlight: AtOnce,
		Full:     true,
	})}
}

// Close lets qmail-queue finish, and waits for its end. Messages that are closed
// later get a process each.
func (r *Resident) Close() { r.pool.Close() }

// ask hands over a request. The process is for this message and for others, so its
// environment and descriptor 2 are not those of the message.
func (r *Resident) ask(q Queue, request resident.Request) (verdict, error) {
	reply, err := r.pool.Call("", func() child.Command {
		return child.Command{Args: []string{"bin/qmail-queue"}, Env: []string{}, Dir: q.Home}
	}, request)
	switch {
	case errors.Is(err, resident.ErrClassic):
		return verdict{}, err
	case errors.Is(err, resident.ErrRefused):
		return verdict{err: rejection(51, "")}, nil
	case err != nil:
		return verdict{err: &Rejection{Text: "qq crashed (#4.3.0)"}}, nil
	}
	return readReply(reply), nil
}

// ReadRequest is for qmail-queue: it returns what a process of its own would have
// read from descriptors 0 and 1. What comes through pipes are files of the request.
func ReadRequest(r *resident.Request) (message, envelope io.Reader, err error) {
	switch {
	case len(r.Fields) == 3 && r.Fields[0] == inMessage && len(r.Files) == 0:
		return strings.NewReader(r.Fields[1]), strings.NewReader(r.Fields[2]), nil
	case len(r.Fields) == 1 && r.Fields[0] == inPipes && len(r.Files) == 2:
		return r.Files[0], r.Files[1], nil
	}
	return nil, nil, errors.New("malformed request")
}

// Reply is what qmail-queue answers.
func Reply(code, qp int, text string) []string {
	return []string{strconv.Itoa(code), strconv.Itoa(qp), text}
}

// readReply understands the answer of a resident qmail-queue.
func readReply(reply []string) verdict {
	if len(reply) != 3 || len(reply[2]) > maxText {
		return verdict{err: rejection(81, "")}
	}
	code, err := strconv.ParseUint(reply[0], 10, 8)
	if err != nil {
		return verdict{err: rejection(81, "")}
	}
	qp, err := strconv.Atoi(reply[1])
	if err != nil || qp < 0 {
		return verdict{err: rejection(81, "")}
	}
	v := verdict{qp: qp}
	if code != 0 {
		v.err = rejection(int(code), reply[2])
	}
	return v
}

// A parcel is a message that is small so far. Its methods tell whether it still is,
// with what they are given; otherwise they do nothing.
type parcel struct {
	text, envelope []byte
	ended          bool // the text is complete
}

func newParcel() *parcel { return &parcel{text: make([]byte, 0, 4<<10)} }

func (p *parcel) fits(more int) bool { return len(p.text)+len(p.envelope)+more <= Small }

func (p *parcel) write(b []byte) bool {
	if !p.fits(len(b)) {
		return false
	}
	p.text = append(p.text, b...)
	return true
}

func (p *parcel) writeString(s string) bool {
	if !p.fits(len(s)) {
		return false
	}
	p.text = append(p.text, s...)
	return true
}

func (p *parcel) endText() { p.ended = true }

func (p *parcel) record(kind byte, address string) bool {
	if !p.fits(len(address) + 3) { // with the NUL that ends the envelope
		return false
	}
	p.envelope = append(append(append(p.envelope, kind), address...), 0)
	return true
}

// submitParcel hands over a small message. Where no resident qmail-queue is to be had,
// asked is false, and the message is on its way to a process.
func (m *Message) submitParcel() (v verdict, asked bool) {
	if m.failed != nil {
		return verdict{err: rejection(54, "")}, true
	}
	p := m.parcel
	v, err := m.queue.Resident.ask(m.queue, resident.Request{
		Fields: []string{inMessage, string(p.text), string(p.envelope) + "\x00"},
	})
	if err == nil {
		return v, true
	}
	process, err := m.queue.start()
	if err != nil {
		return verdict{err: rejection(120, "")}, true
	}
	m.wait = process.wait
	m.empty(process.pipes)
	return verdict{}, false
}

// unpack turns a message that is no longer small to pipes, and asks a resident
// qmail-queue to read from them; or a process, where there is none.
func (m *Message) unpack() {
	ours, theirs, err := newPipes()
	if err != nil {
		m.failed = err
		return
	}
	done := make(chan verdict, 1)
	setNonblock(theirs, true) // as a resident program wants it; any other does not
	go func() {
		// Once qmail-queue is done, or gone, nobody must have these ends open, or
		// whoever writes would wait for ever.
		v, err := m.queue.Resident.ask(m.queue, resident.Request{Fields: []string{inPipes}, Files: []*os.File{theirs.message, theirs.envelope}})
		if err == nil {
			theirs.close()
			done <- v
			return
		}
		setNonblock(theirs, false)
		process, err := m.queue.startOn(theirs)
		theirs.close()
		if err != nil {
			done <- verdict{err: rejection(120, "")}
			return
		}
		done <- process.wait()
	}()
	m.wait = func() verdict { return <-done }
	m.empty(ours)
}

// empty writes what the parcel holds into pipes.
func (m *Message) empty(p pipes) {
	text, envelope, ended := m.parcel.text, m.parcel.envelope, m.parcel.ended
	m.parcel = nil
	m.into(p, 64<<10) // as much as a pipe holds
	_, m.failed = m.w.Write(text)
	if ended {
		m.endText()
		if m.failed == nil {
			_, m.failed = m.w.Write(envelope)
		}
	}
}

func setNonblock(p pipes, on bool) {
	unix.SetNonblock(int(p.message.Fd()), on)
	unix.SetNonblock(int(p.envelope.Fd()), on)
}
