// Package qmtpd receives mail by QMTP (qmail-qmtpd(8)), a protocol without round
// trips. A client sends packages, each a message for any number of recipients:
//
//	package    = message sender recipients
//	message    = netstring of encoding text
//	sender     = netstring of an address
//	recipients = netstring of { netstring of an address }
//	encoding   = LF, and the lines of the text end with LF, or
//	             CR, and they end with CR LF
//
// and gets a reply for each recipient, in order, when the package is complete:
//
//	reply      = netstring of letter text
//	letter     = K (accepted) | Z (not now) | D (never)
//
// The next packages may be on their way already; replies are sent when the server
// has to wait for the client. The connection ends where the client ends it,
// between packages.
//
// Recipients are subject to rcpthosts and RELAYCLIENT, the size of the text to
// databytes, counted as it is stored. Addresses of MaxAddress bytes and more, or
// with a NUL, are refused. Nothing is kept of a message or a list of recipients but
// one byte for each recipient, of whom there may be maxRecipients; a netstring may
// have MaxLength bytes.
//
// From http://cr.yp.to/proto/qmtp.txt.
package qmtpd

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"goqmail/internal/accept/connection"
	"goqmail/internal/accept/rcpthosts"
	"goqmail/internal/host/control"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/mail/received"
	"goqmail/internal/wire/dialog"
	"goqmail/internal/wire/netstring"
	"goqmail/internal/wire/submit"
)

// The limits. An address below MaxAddress fits into any qmail-queue. A connection
// lasts no longer than longest.
const (
	longest       = time.Hour
	MaxLength     = 64 << 30
	MaxAddress    = 1000
	maxRecipients = 16 << 20
)

// ErrRecipients says that a package has more than maxRecipients recipients.
var ErrRecipients = errors.New("too many recipients")

// Config is what the control files say.
type Config struct {
	Databytes  uint64          // databytes: the largest message, in bytes; 0 means any
	Recipients *rcpthosts.List // rcpthosts, morercpthosts.cdb
}

// Controls are the control files.
var Controls = append([]string{"databytes"}, rcpthosts.Controls...)

// ReadConfig reads the control files.
func ReadConfig(dir control.Dir) (*Config, error) {
	databytes, err := dir.Number("databytes", 0)
	if err != nil {
		return nil, err
	}
	hosts, err := rcpthosts.Read(dir)
	if err != nil {
		return nil, err
	}
	return &Config{databytes, hosts}, nil
}

// Close closes what is open of the control files. No connection may go on with
// them.
func (c *Config) Close() error { return c.Recipients.Close() }

// Serve takes packages until the client ends the connection, which is io.EOF, or
// io.ErrUnexpectedEOF within a package. netstring.ErrMalformed says that the client
// does not speak QMTP; netstring.ErrTooLong, ErrRecipients and any other error that
// the connection cannot go on. Nothing of an incomplete package is queued.
func (c *Config) Serve(client connection.Client) error {
	client.Limit(0, client.Now().Add(longest))
	s := &session{
		Config:    c,
		Dialog:    dialog.New(client.In, client.Out),
		client:    client,
		databytes: client.Env.Databytes(c.Databytes),
	}
	defer s.Release()
	s.suffix, s.relay = client.Env.Lookup("RELAYCLIENT")
	for {
		err := s.Await(true)
		if err == nil {
			err = s.receive()
		}
		if err != nil {
			s.Out.Flush()
			return err
		}
	}
}

type session struct {
	*Config
	dialog.Dialog
	client    connection.Client
	databytes uint64
	relay     bool   // any recipient may be given
	suffix    string // and this is put behind it
	warned    bool
}

// receive takes a package and answers it.
func (s *session) receive() error {
	length, err := netstring.ReadLength(s.In, MaxLength)
	if err != nil {
		return err
	}
	message := netstring.NewInside(s.In, length)
	encoding, err := message.ReadByte()
	if err != nil {
		return err
	}
	if encoding != '\n' && encoding != '\r' {
		return netstring.ErrMalformed
	}
	m, err := s.client.Queue.Open()
	if err != nil {
		return err
	}
	defer m.Abandon()
	m.WriteString(received.Field(s.client.Env.Peer(), "QMTP", s.client.Now()))
	p := &incoming{session: s, m: m, text: text{m: m, crlf: encoding == '\r', limit: s.databytes}}
	if err := p.receive(message); err != nil {
		return err
	}
	p.answer(m.Close())
	return nil
}

// incoming is a package on its way into the queue.
type incoming struct {
	*session
	m         *submit.Message
	text      text
	badSender bool
	wanted    bool      // there is a recipient for it
	verdicts  []verdict // one for each recipient
}

// A verdict is what is known of a recipient before the message is queued.
type verdict byte

const (
	acceptable verdict = iota
	notAllowed
	unusable
)

// receive reads what follows the byte that tells the encoding.
func (p *incoming) receive(message *netstring.Inside) error {
	if err := message.Copy(&p.text, message.Left()); err != nil {
		return err
	}
	p.text.end()
	if err := netstring.ReadEnd(p.In); err != nil {
		return err
	}
	length, err := netstring.ReadLength(p.In, MaxLength)
	if err != nil {
		return err
	}
	sender, fits, err := netstring.NewInside(p.In, length).Text(length, MaxAddress-1)
	if err != nil {
		return err
	}
	if err := netstring.ReadEnd(p.In); err != nil {
		return err
	}
	if !fits || strings.IndexByte(sender, 0) >= 0 {
		p.badSender = true
		p.m.Cancel()
	}
	p.m.From(sender)
	return p.recipients()
}

func (p *incoming) recipients() error {
	length, err := netstring.ReadLength(p.In, MaxLength)
	if err != nil {
		return err
	}
	list := netstring.NewInside(p.In, length)
	for list.Left() > 0 {
		if len(p.verdicts) == maxRecipients {
			return ErrRecipients
		}
		v, err := p.recipient(list)
		if err != nil {
			return err
		}
		p.verdicts = append(p.verdicts, v)
	}
	if !p.wanted {
		p.m.Cancel()
	}
	return netstring.ReadEnd(p.In)
}

// recipient reads a recipient, and hands it on if it is acceptable.
func (p *incoming) recipient(list *netstring.Inside) (verdict, error) {
	n, err := netstring.ReadLength(list, MaxLength)
	if err != nil {
		return 0, err
	}
	address, fits, err := list.Text(n, MaxAddress-1)
	if err != nil {
		return 0, err
	}
	if err := netstring.ReadEnd(list); err != nil {
		return 0, err
	}
	if !fits || len(address)+len(p.suffix) >= MaxAddress {
		return unusable, nil
	}
	allowed, err := p.allows(address)
	switch {
	case err != nil:
		return 0, err
	case !allowed:
		return notAllowed, nil
	case strings.IndexByte(address, 0) >= 0:
		return unusable, nil
	}
	p.m.To(address + p.suffix)
	p.wanted = true
	return acceptable, nil
}

func (s *session) allows(address string) (bool, error) {
	if s.relay {
		return true, nil
	}
	if s.Recipients.OpenRelay() && !s.warned {
		s.warned = true
		s.client.Warn(rcpthosts.Warning)
	}
	return s.Recipients.Allows(address)
}

// answer writes a reply for each recipient; err is what the queue says.
func (p *incoming) answer(err error) {
	var result string
	switch {
	case p.text.tooLarge:
		result = "Dsorry, that message size exceeds my databytes limit (#5.3.4)"
	case p.badSender:
		result = "Dunacceptable sender (#5.1.7)"
	case err == nil:
		result = fmt.Sprintf("Kok %d qp %d", p.client.Now().Unix(), p.m.Pid())
	default:
		result = string(outcome.Of(err).Letter()) + err.Error()
	}
	replies := [...][]byte{
		acceptable: netstring.Append(nil, result),
		notAllowed: netstring.Append(nil, "Dsorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"),
		unusable:   netstring.Append(nil, "Dsorry, I can't handle that recipient (#5.1.3)"),
	}
	for _, v := range p.verdicts {
		p.Out.Write(replies[v])
	}
}
