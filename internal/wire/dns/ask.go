package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

const (
	// udpSize is how long an answer by UDP may be. Longer ones are cut into
	// pieces on many ways, and pieces get lost.
	udpSize = 1232
	// maxStray is how many datagrams that are no answers are passed over.
	maxStray = 1000
)

var (
	errUnanswered = errors.New("no name server answers")
	errStray      = errors.New("too many answers to questions that were not asked")
)

// ask puts questions about a name to the servers until all are settled. The first
// question is the important one: once it is answered with records, nobody else is
// asked the others.
func (r *Resolver) ask(ctx context.Context, name Name, types []uint16) []answer {
	answers := make([]answer, len(types))
	for i := range answers {
		answers[i].err = errUnanswered
	}
	for attempt := range r.Attempts {
		for _, server := range r.order() {
			q := questions{name: name, server: server, timeout: r.Timeout, dial: r.Dial}
			for i, a := range answers {
				// Who has refused to answer will do so again.
				if attempt == 0 && !a.settled() || a.err == errUnanswered {
					q.list = append(q.list, question{typ: types[i], to: &answers[i]})
				}
			}
			if len(q.list) > 0 {
				q.ask(ctx)
			}
			if len(answers[0].records) > 0 || ctx.Err() != nil {
				return answers
			}
		}
	}
	return answers
}

// order returns the servers in the order in which to ask them.
func (r *Resolver) order() []netip.AddrPort {
	if !r.Rotate || len(r.Servers) < 2 {
		return r.Servers
	}
	first := rand.IntN(len(r.Servers))
	return append(append([]netip.AddrPort(nil), r.Servers[first:]...), r.Servers[:first]...)
}

// A question is one that is put to a server. What comes of it goes to its answer.
type question struct {
	typ    uint16
	id     uint16
	plain  bool // without EDNS
	closed bool // nothing more is expected
	to     *answer
}

// questions are put to one server at once, about one name.
type questions struct {
	name    Name
	server  netip.AddrPort
	timeout time.Duration
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	list    []question
}

// ask sends the questions by UDP, and takes the answers. Those without an answer
// when the time is up are left as they are.
func (q *questions) ask(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	conn, err := q.connect(limited, "udp")
	if err != nil {
		return
	}
	defer conn.Close()
	for i := range q.list {
		if err := q.list[i].send(conn, q.name); err != nil {
			return
		}
	}
	buffer := make([]byte, udpSize)
	for stray := 0; q.waiting(); {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		message, of := q.match(buffer[:n])
		switch {
		case of == nil:
			if stray++; stray > maxStray {
				return
			}
		case message.Truncated:
			of.closed = true
			q.askByTCP(ctx, of)
		case !of.plain && rejectsEDNS(message):
			of.plain = true
			if err := of.send(conn, q.name); err != nil {
				return
			}
		default:
			of.closed = true
			*of.to = pick(message, q.name, of.typ)
		}
	}
}

func (q *questions) connect(ctx context.Context, network string) (net.Conn, error) {
	dial := q.dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, network, q.server.String())
	if err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok {
		conn.SetDeadline(end)
	}
	return conn, nil
}

func (q *questions) waiting() bool {
	for _, one := range q.list {
		if !one.closed {
			return true
		}
	}
	return false
}

// send sends the question, with a new number.
func (one *question) send(w io.Writer, name Name) error {
	packed, err := one.pack(name)
	if err != nil {
		return err
	}
	_, err = w.Write(packed)
	return err
}

func (one *question) pack(name Name) ([]byte, error) {
	one.id = dns.Id()
	message := dns.Msg{
		MsgHdr:   dns.MsgHdr{Id: one.id, RecursionDesired: true},
		Question: []dns.Question{{Name: string(name), Qtype: one.typ, Qclass: dns.ClassINET}},
	}
	if !one.plain {
		message.SetEdns0(udpSize, false)
	}
	return message.Pack()
}

// match finds the question that a message answers.
func (q *questions) match(packed []byte) (*dns.Msg, *question) {
	for i := range q.list {
		one := &q.list[i]
		if !one.closed {
			if message := one.answeredBy(packed, q.name); message != nil {
				return message, one
			}
		}
	}
	return nil, nil
}

// answeredBy unpacks a message, if it is an answer to the question. Of one that is
// cut off only the header and the question are there.
func (one *question) answeredBy(packed []byte, name Name) *dns.Msg {
	if len(packed) < 2 || binary.BigEndian.Uint16(packed) != one.id {
		return nil
	}
	message := new(dns.Msg)
	err := message.Unpack(packed)
	if err != nil && !message.Truncated {
		return nil
	}
	if !message.Response || message.Opcode != dns.OpcodeQuery || len(message.Question) != 1 {
		return nil
	}
	asked := message.Question[0]
	if asked.Qtype != one.typ || asked.Qclass != dns.ClassINET || !sameName(asked.Name, string(name)) {
		return nil
	}
	return message
}

// rejectsEDNS tells whether a server may have an answer to a question without
// EDNS (RFC 6891, section 7).
func rejectsEDNS(message *dns.Msg) bool {
	switch message.Rcode {
	case dns.RcodeFormatError, dns.RcodeNotImplemented, dns.RcodeBadVers:
		return true
	}
	return false
}

// askByTCP asks again for an answer that is too long for UDP.
func (q *questions) askByTCP(ctx context.Context, one *question) {
	message, err := q.exchangeByTCP(ctx, one)
	if err != nil {
		one.to.err = fmt.Errorf("unable to get a long answer of %v: %w", q.server, err)
		return
	}
	*one.to = pick(message, q.name, one.typ)
}

func (q *questions) exchangeByTCP(ctx context.Context, one *question) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	conn, err := q.connect(ctx, "tcp")
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	packed, err := one.pack(q.name)
	if err != nil {
		return nil, err
	}
	packed = append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)
	if _, err := conn.Write(packed); err != nil {
		return nil, err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	packed = make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, packed); err != nil {
		return nil, err
	}
	message := one.answeredBy(packed, q.name)
	if message == nil || message.Truncated {
		return nil, errStray
	}
	return message, nil
}
