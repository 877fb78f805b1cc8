// Package qmqpd receives a message by QMQP (qmail-qmqpd(8)), which is how a host
// without a queue (mini-qmail) hands its mail to one with a queue:
//
//	request = netstring of { message sender { recipient } }
//	reply   = netstring of letter text
//	letter  = K (accepted) | Z (not now) | D (never)
//
// where message, sender and recipient are netstrings. There is one request and one
// reply for all recipients; then the connection ends.
//
// The client may send mail to anywhere, so only clients that are known may
// connect. Addresses of MaxAddress bytes and more, or with a NUL, make the whole
// message be refused. Nothing is kept of a message or its recipients; a netstring
// may have MaxLength bytes, and the length of the request maxDigits.
//
// From http://cr.yp.to/proto/qmqp.html.
package qmqpd

import (
	"fmt"
	"strings"
	"time"

	"goqmail/internal/accept/connection"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/mail/received"
	"goqmail/internal/wire/dialog"
	"goqmail/internal/wire/netstring"
	"goqmail/internal/wire/submit"
)

// The limits. An address below MaxAddress fits into any qmail-queue; maxDigits
// counts the colon. A connection lasts no longer than longest.
const (
	longest    = time.Hour
	MaxLength  = 64 << 30
	MaxAddress = 1000
	maxDigits  = 100
)

// Serve takes a message. It returns nil when it has replied, whatever has become of
// the message, and otherwise an error as qmtpd.Serve does; nothing is queued then.
func Serve(c connection.Client) error {
	c.Limit(0, c.Now().Add(longest))
	d := dialog.New(c.In, c.Out)
	defer d.Release()
	if err := d.Await(true); err != nil {
		return err
	}
	length, err := netstring.ReadLength(netstring.NewInside(d.In, maxDigits), MaxLength)
	if err != nil {
		return err
	}
	request := netstring.NewInside(d.In, length)
	length, err = netstring.ReadLength(request, MaxLength)
	if err != nil {
		return err
	}
	m, err := c.Queue.Open()
	if err != nil {
		return err
	}
	defer m.Abandon()
	m.WriteString(received.Field(c.Env.Peer(), "QMQP", c.Now()))
	usable, err := receive(m, request, length)
	if err == nil {
		err = netstring.ReadEnd(d.In)
	}
	if err != nil {
		return err
	}
	var result string
	switch err := m.Close(); {
	case !usable:
		result = "Dsorry, I can't accept addresses like that (#5.1.3)"
	case err == nil:
		result = fmt.Sprintf("Kok %d qp %d", c.Now().Unix(), m.Pid())
	default:
		result = string(outcome.Of(err).Letter()) + err.Error()
	}
	d.Out.Write(netstring.Append(nil, result))
	return d.Out.Flush()
}

// receive hands on a request, whose message has a length that has been read. It
// tells whether all addresses are usable.
func receive(m *submit.Message, request *netstring.Inside, length uint64) (usable bool, err error) {
	if err := request.Copy(m, length); err != nil {
		return false, err
	}
	if err := netstring.ReadEnd(request); err != nil {
		return false, err
	}
	sender, usable, err := address(request)
	if err != nil {
		return false, err
	}
	m.From(sender)
	for request.Left() > 0 {
		recipient, ok, err := address(request)
		if err != nil {
			return false, err
		}
		m.To(recipient)
		usable = usable && ok
	}
	if !usable {
		m.Cancel()
	}
	return usable, nil
}

// address reads an address; one that is not usable is returned as empty.
func address(request *netstring.Inside) (address string, usable bool, err error) {
	n, err := netstring.ReadLength(request, MaxLength)
	if err != nil {
		return "", false, err
	}
	address, fits, err := request.Text(n, MaxAddress-1)
	if err != nil {
		return "", false, err
	}
	if !fits || strings.IndexByte(address, 0) >= 0 {
		return "", false, netstring.ReadEnd(request)
	}
	return address, true, netstring.ReadEnd(request)
}
