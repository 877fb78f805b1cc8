// Package queuectl is what qmail-queuectl and a running qmail-send say to each other.
//
// # Protocol
//
// qmail-send listens on the socket queue/queuectl/socket. A client that connects, and
// may (Listener), sends one request; qmail-send answers with any number of records and
// an empty one, and hangs up. All are netstrings. In them fields are ended by NUL:
//
//	request  = verb NUL { argument NUL }
//
//	list     { message }          tell of these messages, or of all
//	delete   message { message }  remove them; nobody is told
//	bounce   reason message ...   their recipients that are not done fail, and the sender is told
//	requeue  message ...          queue them anew, to be routed anew
//	hold     message ...          do not deliver them
//	release  message ...          deliver them again
//	retry    message ...          they are due now
//	run                           every message is due now
//	pause    domain ...           start no deliveries to these
//	resume   domain ...           do so again
//	paused                        which are paused
//
//	message  = number [ "." born ]
//
// With born, what is meant is a message that was preprocessed at that time, and no
// later one that has the same number.
//
//	record   = "m" number NUL born NUL bytes NUL flags NUL sender NUL
//	         | "r" kind NUL flags NUL next NUL replied NUL address NUL reply NUL
//	         | "d" number NUL code text NUL
//	         | "p" domain NUL
//	         | "e" text NUL
//
// A message, m, is followed by its recipients, r. Times are seconds since 1970, 0 where
// there is none. The flags of a message are letters: q in todo, n there are notes for
// a bounce, h held, b to bounce, a to be queued anew; those of a recipient: d done,
// r a delivery runs, p paused. d is what became of the request for a message:
//
//   - done
//     >  it will be when the deliveries are over that run; or it takes long
//   - there is no such message
//     ~  it is not in a state for this: it comes, or leaves. Try again
//     !  refused or failed, and the text tells why
//
// e is an error of the whole request, such as "permission denied".
//
// # Bounds
//
// A request has at most MaxRequest bytes and names MaxMessages messages; a client with
// more asks again. What either side reads is bounded, and refused where it is not of
// this form.
package queuectl

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"goqmail/queue"
)

// A Verb is what is asked for.
type Verb string

// The verbs.
const (
	List    Verb = "list"
	Delete  Verb = "delete"
	Bounce  Verb = "bounce"
	Requeue Verb = "requeue"
	Hold    Verb = "hold"
	Release Verb = "release"
	Retry   Verb = "retry"
	Run     Verb = "run"
	Pause   Verb = "pause"
	Resume  Verb = "resume"
	Paused  Verb = "paused"
)

const (
	// MaxRequest is the longest request, in bytes.
	MaxRequest = 64 << 10
	// MaxMessages is how many messages a request may name.
	MaxMessages = 1000
	// MaxReason is the longest reason of a bounce.
	MaxReason = 1000
	// MaxDomain is the longest domain.
	MaxDomain = 255
	// maxReply is how much is told of what a delivery reported.
	maxReply = 1000
	// maxRecord is the longest record: an address, a reply and some numbers.
	maxRecord = queue.MaxRecord + maxReply + 1000
)

// ErrForm says that something is not of the form of the protocol.
var ErrForm = errors.New("malformed request or record")

// A Request is what a client sends.
type Request struct {
	Verb     Verb
	Reason   string
	Messages []Name
	Domains  []string
}

// A Name names a message: by its number, which a later one may have as well, and by
// when it was preprocessed, in seconds since 1970, unless that is 0.
type Name struct {
	Number queue.Number
	Born   int64
}

func (n Name) String() string {
	if n.Born == 0 {
		return n.Number.String()
	}
	return n.Number.String() + "." + strconv.FormatInt(n.Born, 10)
}

// parseName reads a name.
func parseName(text string) (Name, bool) {
	number, born, dated := strings.Cut(text, ".")
	n, ok := queue.ParseNumber(number)
	name := Name{Number: n}
	if ok && dated {
		var err error
		name.Born, err = strconv.ParseInt(born, 10, 64)
		ok = err == nil && name.Born != 0
	}
	return name, ok
}

// Append adds a request to b.
func (r Request) Append(b []byte) []byte {
	b = field(b, string(r.Verb))
	if r.Verb == Bounce {
		b = field(b, r.Reason)
	}
	for _, m := range r.Messages {
		b = field(b, m.String())
	}
	for _, d := range r.Domains {
		b = field(b, d)
	}
	return b
}

// ParseRequest reads a request.
func ParseRequest(b []byte) (Request, error) {
	f, ok := fields(b)
	if !ok || len(b) > MaxRequest {
		return Request{}, ErrForm
	}
	r := Request{Verb: Verb(f[0])}
	f = f[1:]
	switch r.Verb {
	case Bounce:
		if len(f) == 0 || len(f[0]) > MaxReason {
			return Request{}, ErrForm
		}
		r.Reason, f = f[0], f[1:]
		ok = r.messages(f) && len(f) > 0
	case Delete, Requeue, Hold, Release, Retry:
		ok = r.messages(f) && len(f) > 0
	case List:
		ok = r.messages(f)
	case Run, Paused:
		ok = len(f) == 0
	case Pause, Resume:
		r.Domains = f
		ok = len(f) > 0 && !slices.ContainsFunc(f, func(d string) bool { return !ValidDomain(d) })
	default:
		ok = false
	}
	if !ok {
		return Request{}, ErrForm
	}
	return r, nil
}

// messages reads names of messages.
func (r *Request) messages(f []string) bool {
	if len(f) > MaxMessages {
		return false
	}
	for _, text := range f {
		name, ok := parseName(text)
		if !ok {
			return false
		}
		r.Messages = append(r.Messages, name)
	}
	return true
}

// ValidDomain tells whether a domain can be paused: it must not look like anything
// else in the file of those that are.
func ValidDomain(d string) bool {
	return d != "" && len(d) <= MaxDomain && d[0] != '#' && !strings.ContainsFunc(d, func(c rune) bool { return c <= ' ' || c == '@' || c > '~' })
}

// A Message is what is told of one.
type Message struct {
	queue.Message
	Live []Live // what a running qmail-send knows of each recipient besides
}

// Live is what a running qmail-send knows of a recipient.
type Live struct {
	Running bool      // a delivery to it runs
	Paused  bool      // its domain is paused
	Reply   string    // what the last delivery reported, as long as it is remembered
	Replied time.Time // and when
}

// A Result is what became of the request for a message.
type Result struct {
	Number queue.Number
	Code   Code
	Text   string
}

// A Code says how it went.
type Code byte

// The codes; the package comment tells what they mean.
const (
	Done    Code = '+'
	Later   Code = '>'
	Unknown Code = '-'
	Busy    Code = '~'
	Failed  Code = '!'
)

// A Domain is one that is paused.
type Domain string

// A Refusal is an error of the whole request.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// Append adds the record of the message itself to b.
func (m Message) Append(b []byte) []byte {
	flags := ""
	if m.Queued {
		flags += "q"
	}
	if m.Noted {
		flags += "n"
	}
	switch m.Mark {
	case queue.Held:
		flags += "h"
	case queue.ToBounce:
		flags += "b"
	case queue.ToQueue:
		flags += "a"
	}
	b = append(b, 'm')
	b = field(b, m.Number.String())
	b = field(b, seconds(m.Born))
	b = field(b, strconv.FormatInt(m.Size, 10))
	b = field(b, flags)
	return field(b, m.Sender)
}

// AppendRecipient adds the record of a recipient to b.
func AppendRecipient(b []byte, r queue.Recipient, l Live) []byte {
	flags := ""
	if r.Done {
		flags += "d"
	}
	if l.Running {
		flags += "r"
	}
	if l.Paused {
		flags += "p"
	}
	b = append(b, 'r')
	b = field(b, string(r.Kind))
	b = field(b, flags)
	b = field(b, seconds(r.Next))
	b = field(b, seconds(l.Replied))
	b = field(b, r.Address)
	return field(b, l.Reply[:min(len(l.Reply), maxReply)])
}

// Append adds the record of a result to b.
func (r Result) Append(b []byte) []byte {
	b = append(b, 'd')
	b = field(b, r.Number.String())
	b = append(b, byte(r.Code))
	return field(b, r.Text[:min(len(r.Text), maxReply)])
}

// Append adds the record of a domain to b.
func (d Domain) Append(b []byte) []byte { return field(append(b, 'p'), string(d)) }

// Append adds the record of an error to b.
func (r Refusal) Append(b []byte) []byte {
	return field(append(b, 'e'), string(r[:min(len(r), maxReply)]))
}

// A recipient is one as a record has it.
type recipient struct {
	queue.Recipient
	Live
}

// parseRecord reads a record: a Message without recipients, a recipient, a Result, a
// Domain or a Refusal.
func parseRecord(b []byte) (any, error) {
	if len(b) == 0 {
		return nil, ErrForm
	}
	f, ok := fields(b[1:])
	if !ok {
		return nil, ErrForm
	}
	switch {
	case b[0] == 'm' && len(f) == 5:
		return parseMessage(f)
	case b[0] == 'r' && len(f) == 6:
		return parseRecipient(f)
	case b[0] == 'd' && len(f) == 2 && f[1] != "" && strings.IndexByte("+>-~!", f[1][0]) >= 0:
		if n, ok := queue.ParseNumber(f[0]); ok {
			return Result{n, Code(f[1][0]), f[1][1:]}, nil
		}
	case b[0] == 'p' && len(f) == 1:
		return Domain(f[0]), nil
	case b[0] == 'e' && len(f) == 1:
		return Refusal(f[0]), nil
	}
	return nil, ErrForm
}

func parseMessage(f []string) (any, error) {
	var m Message
	var ok1, ok2, ok3 bool
	m.Number, ok1 = queue.ParseNumber(f[0])
	m.Born, ok2 = parseSeconds(f[1])
	size, err := strconv.ParseInt(f[2], 10, 64)
	m.Size, ok3 = size, err == nil
	if !ok1 || !ok2 || !ok3 {
		return nil, ErrForm
	}
	for _, flag := range f[3] {
		switch flag {
		case 'q':
			m.Queued = true
		case 'n':
			m.Noted = true
		case 'h':
			m.Mark = queue.Held
		case 'b':
			m.Mark = queue.ToBounce
		case 'a':
			m.Mark = queue.ToQueue
		default:
			return nil, ErrForm
		}
	}
	m.Sender = f[4]
	return m, nil
}

func parseRecipient(f []string) (any, error) {
	var r recipient
	var ok1, ok2 bool
	switch r.Kind = queue.Kind(f[0]); r.Kind {
	case queue.Todo, queue.Local, queue.Remote:
	default:
		return nil, ErrForm
	}
	r.Next, ok1 = parseSeconds(f[2])
	r.Replied, ok2 = parseSeconds(f[3])
	if !ok1 || !ok2 {
		return nil, ErrForm
	}
	for _, flag := range f[1] {
		switch flag {
		case 'd':
			r.Done = true
		case 'r':
			r.Running = true
		case 'p':
			r.Paused = true
		default:
			return nil, ErrForm
		}
	}
	r.Address, r.Reply = f[4], f[5]
	return r, nil
}

func field(b []byte, text string) []byte { return append(append(b, text...), 0) }

// fields are what NULs end in b. There is at least one.
func fields(b []byte) ([]string, bool) {
	if len(b) == 0 || b[len(b)-1] != 0 {
		return nil, false
	}
	return strings.Split(string(b[:len(b)-1]), "\x00"), true
}

func seconds(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	return strconv.FormatInt(t.Unix(), 10)
}

func parseSeconds(text string) (time.Time, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n == 0 {
		return time.Time{}, err == nil
	}
	return time.Unix(n, 0), true
}
