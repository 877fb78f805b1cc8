package remote

import (
	"errors"
	"net"
	"strings"
	"time"

	"goqmail/internal/mail/quote"
	"goqmail/internal/wire/smtp"
)

// A session is one in which hello was said, and that takes messages, one or more:
//
//	begin   greeting      220
//	        HELO name     250; EHLO where the greeting says ESMTP
//	send    MAIL FROM     less than 400
//	        RCPT TO       less than 400 for one at least
//	        DATA          less than 400
//	        text          less than 400
//	        QUIT          not waited for
//
// The commands from MAIL to DATA are sent at once where the host has PIPELINING, or in
// a few pieces if there are many recipients.
// A code of 400 to 499 is a refusal for now, a higher one a refusal for good.
type session struct {
	*smtp.Client
	to       endpoint
	modern   bool        // the greeting says ESMTP
	messages int         // accepted ones
	timer    *time.Timer // ends it, while it is idle
}

func (s *session) partner() partner { return partner(s.to.at.Addr()) }

// begin begins a session. If the host does not want one, there is a report instead.
func begin(conn net.Conn, timeout time.Duration, to endpoint) (*session, string) {
	s := &session{Client: smtp.NewClient(conn, timeout), to: to}
	greeting, err := s.Greeting()
	if err != nil {
		s.Close()
		return nil, s.partner().died(err)
	}
	if greeting.Code != 220 {
		s.Quit()
		return nil, "ZConnected to " + s.partner().said(" but greeting failed", greeting)
	}
	s.modern = strings.Contains(greeting.Text, "ESMTP")
	hello, err := s.Hello(to.name, s.modern)
	if err != nil {
		s.Close()
		return nil, s.partner().died(err)
	}
	if hello.Code != 250 {
		s.Quit()
		return nil, "ZConnected to " + s.partner().said(" but my name was rejected", hello)
	}
	return s, ""
}

// errStale says that a session which has had messages before takes no more.
var errStale = errors.New("stale session")

// send sends a message. It adds reports on recipients, and returns the one on the
// message. usual tells whether the host accepted it and gave none but the usual
// answers, so that it can be expected to take another.
func (s *session) send(d Delivery, r *reports) (report string, usual bool, err error) {
	p := s.partner()
	if err := s.Mail(path(d.Sender)); err != nil {
		return "", false, err
	}
	named := 0 // recipients for whom there is a command
	if s.Pipelining() {
		named = s.name(d.Recipients, 0, len("MAIL FROM:<>\r\n")+len(path(d.Sender)))
	}
	mail, err := s.Reply()
	if s.messages > 0 && (err != nil || mail.Code != 250) {
		return "", false, errStale
	}
	if err != nil {
		return "", false, err
	}
	if refused(mail) {
		s.Skip()
		return letter(mail) + "Connected to " + p.said(" but sender was rejected", mail), false, nil
	}
	usual = mail.Code == 250
	anybody := false
	for i, recipient := range d.Recipients {
		if i == named {
			named = s.name(d.Recipients, i, 0)
		}
		report, code, err := s.recipient(recipient)
		if err != nil {
			return "", false, err
		}
		r.add(report, code)
		anybody = anybody || report == recipientAccepted
		usual = usual && (code == 250 || code == 251 || code >= 400 && code < 560)
	}
	if !anybody {
		s.Skip()
		return "DGiving up on " + p.said("", smtp.Reply{}), false, nil
	}
	if !s.Pipelining() {
		s.Data()
	}
	data, err := s.Reply()
	if err != nil {
		return "", false, err
	}
	if refused(data) {
		return letter(data) + p.said(" failed on DATA command", data), false, nil
	}
	text, err := s.Text(d.Message)
	if err != nil {
		return "", false, err
	}
	if refused(text) {
		return letter(text) + p.said(" failed after I sent the message", text), false, nil
	}
	s.messages++
	return "K" + p.said(" accepted message", text), usual && data.Code == 354 && text.Code == 250, nil
}

// maxAtOnce is how long commands may be that are sent at once, in bytes, unless it is one
// for a recipient. The replies to them fit into the buffers of a connection.
const maxAtOnce = 4 << 10

// name gives the commands for recipients from a place on: for one; or for as many as are
// sent at once, besides size bytes, where the host takes them so, and behind the last
// one DATA. It returns the place of the first that is left.
func (s *session) name(recipients []string, from, size int) (to int) {
	size += len("DATA\r\n")
	for to = from; to < len(recipients); to++ {
		recipient := path(recipients[to])
		size += len("RCPT TO:<>\r\n") + len(recipient)
		if to > from && (!s.Pipelining() || size > maxAtOnce) {
			return to
		}
		s.Recipient(recipient) // with a line break it is no command
	}
	if s.Pipelining() {
		s.Data()
	}
	return to
}

// recipient returns the report on a recipient who was named, and the code of the answer.
func (s *session) recipient(recipient string) (report string, code int, err error) {
	if smtp.HasLineBreak(recipient) {
		return recipientWithLineBreak, 553, nil
	}
	reply, err := s.Reply()
	switch {
	case err != nil:
		return "", 0, err
	case reply.Code >= 500:
		report = "h" + s.partner().said(" does not like recipient", reply)
	case refused(reply):
		report = "s" + s.partner().said(" does not like recipient", reply)
	default:
		report = recipientAccepted
	}
	return report, reply.Code, nil
}

func refused(reply smtp.Reply) bool { return reply.Code >= 400 }

// letter is that of the report on a refused message.
func letter(reply smtp.Reply) string {
	if reply.Code >= 500 {
		return "D"
	}
	return "Z"
}

// path is the form of an address for SMTP. One without a host is sent as it is.
func path(address string) string {
	if !strings.Contains(address, "@") {
		return address
	}
	return quote.Address(address)
}
