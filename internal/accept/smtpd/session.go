// Package smtpd receives mail by SMTP (qmail-smtpd(8)).
//
// A session is a client's connection. What it says goes through one switch, see
// command; each verb is a function that writes one reply. A transaction begins
// with MAIL and ends with DATA, or is forgotten at HELO, EHLO, RSET or the next
// MAIL. A MAIL or RCPT that is refused changes nothing. No verb has to come after
// HELO or EHLO.
//
//	verb       reply
//	HELO, EHLO 250 greeting; forget the transaction
//	MAIL       250 ok; 555 where the address is too long
//	RCPT       250 ok; 503, 555; 553 for a bad sender or a host not in
//	           rcpthosts; 452 when there are too many
//	DATA       354, then 250 ok TIME qp PID; 503; 451 or 554 with what
//	           qmail-queue says, 552 too large, 554 too many hops
//	RSET 250, NOOP 250, VRFY 252, HELP 214, QUIT 221, anything else 502
//
// A session ends with QUIT, with the end of the input, or with the one reply to
// what makes it senseless to go on: a timeout (451), a bare LF in a message (451),
// control files that cannot be read (421). Of a message that has not come to its
// end by then, nothing is queued.
//
// Extensions offered are PIPELINING (RFC 2920) and 8BITMIME (RFC 6152); any
// parameter of MAIL and RCPT is accepted and ignored.
//
// Limits: a command line has maxCommand bytes (500 otherwise), an address
// maxAddress, the recipients of a message maxEnvelope in all; what is much of them
// is kept in a file. A message may have any size, and any line of it; none of it
// is kept.
//
// Texts are those of qmail 1.03, to the byte; RFC 5321 says what the codes mean.
package smtpd

import (
	"errors"
	"os"
	"strings"
	"time"

	"goqmail/internal/accept/connection"
	"goqmail/internal/accept/rcpthosts"
	"goqmail/internal/accept/spool"
	"goqmail/internal/mail/fold"
	"goqmail/internal/mail/received"
	"goqmail/internal/wire/command"
	"goqmail/internal/wire/dialog"
	"goqmail/internal/wire/smtp"
)

// maxCommand is the longest command line that is read, in bytes, its line end
// included. RFC 5321 asks for 512; qmail had no limit, so that one client could
// fill the memory.
const maxCommand = 256 << 10

// Unreadable is what a client is sent where the control files cannot be read.
const Unreadable = unreadable + "\r\n"

const unreadable = "421 unable to read controls (#4.3.0)"

// Serve holds a session. It returns nil if the client has said QUIT, and else
// what has ended the session.
func (c *Config) Serve(client connection.Client) error {
	client.Limit(c.Timeout, time.Time{})
	s := &session{
		Config:    c,
		client:    client,
		peer:      client.Env.Peer(),
		databytes: client.Env.Databytes(c.Databytes),
	}
	if suffix, set := client.Env.Lookup("RELAYCLIENT"); set {
		s.relayClient = &suffix
	}
	s.Dialog = dialog.New(client.In, client.Out)
	defer s.Release()
	defer s.forget()
	return s.run()
}

type session struct {
	*Config
	dialog.Dialog
	client      connection.Client
	peer        received.Peer
	databytes   uint64
	relayClient *string // what is put behind each recipient, if set
	warned      bool
	transaction *transaction // nil before MAIL
}

// A transaction is a message to come.
type transaction struct {
	sender     string
	badSender  bool
	recipients recipients
}

// A fatal error ends the session with a reply.
type fatal struct {
	reply string
	error
}

func (f *fatal) Unwrap() error { return f.error }

var errQuit = errors.New("the client has said QUIT")

func (s *session) run() error {
	s.reply("220 " + s.Greeting + " ESMTP")
	for {
		if err := s.Await(s.transaction == nil); err != nil {
			return s.end(err)
		}
		verb, argument, err := command.NewLines(s.In, maxCommand).Next()
		switch err {
		case nil:
			err = s.command(verb, argument)
		case command.ErrTooLong:
			s.reply("500 command line too long (#5.5.2)")
			continue
		}
		if err != nil {
			return s.end(err)
		}
	}
}

// end sends the last reply.
func (s *session) end(err error) error {
	var f *fatal
	switch {
	case err == errQuit:
		return s.Out.Flush()
	case err == dialog.ErrStopped:
		s.reply("421 going down, try again later (#4.3.2)")
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.reply("451 timeout (#4.4.2)")
	case err == smtp.ErrBareLF:
		s.reply("451 See https://cr.yp.to/docs/smtplf.html.")
	case errors.As(err, &f):
		s.reply(f.reply)
	}
	s.Out.Flush()
	return err
}

// reply writes a line. It is sent when the session waits for the client; if that
// fails, the next read does.
func (s *session) reply(line string) {
	s.Out.WriteString(line)
	s.Out.WriteString("\r\n")
}

// command obeys a command. An error ends the session.
func (s *session) command(verb, argument string) error {
	switch fold.Lower(verb) {
	case "helo":
		s.hello(argument)
		s.reply("250 " + s.Greeting)
	case "ehlo":
		s.hello(argument)
		s.reply("250-" + s.Greeting)
		s.reply("250-PIPELINING")
		s.reply("250 8BITMIME")
	case "mail":
		return s.mail(argument)
	case "rcpt":
		return s.rcpt(argument)
	case "data":
		return s.data()
	case "rset":
		s.forget()
		s.reply("250 flushed")
	case "noop":
		s.reply("250 ok")
	case "vrfy":
		s.reply("252 send some mail, i'll try my best")
	case "help":
		s.reply("214 qmail home page: https://cr.yp.to/qmail.html")
	case "quit":
		s.reply("221 " + s.Greeting)
		return errQuit
	default:
		s.reply("502 unimplemented (#5.5.1)")
	}
	return nil
}

// forget ends the transaction, if there is one.
func (s *session) forget() {
	if s.transaction != nil {
		s.transaction.recipients.Close()
		s.transaction = nil
	}
}

// isBad tells whether badmailfrom has a sender, or @ and its host.
func (s *session) isBad(sender string) bool {
	at := strings.LastIndexByte(sender, '@')
	return s.BadMailFrom.Has(sender) || at >= 0 && s.BadMailFrom.Has(sender[at:])
}

// hello takes the client's name, which is only told where it is not the one that
// is known.
func (s *session) hello(name string) {
	s.forget()
	s.peer.Helo = nil
	if !fold.Equal(name, s.peer.RemoteHost) {
		s.peer.Helo = &name
	}
}

func (s *session) mail(argument string) error {
	sender, err := s.address(argument)
	if err != nil {
		return s.refuse(err)
	}
	s.forget()
	s.transaction = &transaction{
		sender:     sender,
		badSender:  s.isBad(sender),
		recipients: recipients{spool.NewAddresses(s.client.Tmp)},
	}
	s.reply("250 ok")
	return nil
}

func (s *session) rcpt(argument string) error {
	if s.transaction == nil {
		s.reply("503 MAIL first (#5.5.1)")
		return nil
	}
	recipient, err := s.address(argument)
	if err != nil {
		return s.refuse(err)
	}
	if s.transaction.badSender {
		s.reply("553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)")
		return nil
	}
	if s.relayClient != nil {
		recipient += *s.relayClient
	} else if allowed, err := s.allows(recipient); err != nil {
		return err
	} else if !allowed {
		s.reply("553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)")
		return nil
	}
	r := s.transaction.recipients
	if s.MaxRecipients > 0 && r.Count() >= s.MaxRecipients || !r.add(recipient) {
		s.reply("452 too many recipients (#4.5.3)")
		return nil
	}
	s.reply("250 ok")
	return nil
}

// refuse answers an address that cannot be taken, if it is the client's fault.
func (s *session) refuse(err error) error {
	if err != errSyntax {
		return err
	}
	s.reply("555 syntax error (#5.5.4)")
	return nil
}

// allows tells whether a recipient is in rcpthosts. Where that does not exist, the
// admin is told, once in a session that makes use of it.
func (s *session) allows(recipient string) (bool, error) {
	if s.Recipients.OpenRelay() && !s.warned {
		s.warned = true
		s.client.Warn(rcpthosts.Warning)
	}
	allowed, err := s.Recipients.Allows(recipient)
	if err != nil {
		err = &fatal{unreadable, err}
	}
	return allowed, err
}
