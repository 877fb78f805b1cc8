package remote

import (
	"errors"
	"net"
	"strings"

	"goqmail/internal/mail/quote"
	"goqmail/internal/wire/smtp"
)

// A session is one in which hello was said, and that may take messages:
//
//	begin   greeting      220
//	        HELO name     250
//	send    MAIL FROM     less than 400
//	        RCPT TO       less than 400 for one at least
//	        DATA          less than 400
//	        text          less than 400
//	        QUIT
//
// A code of 400 to 499 is a refusal for now, a higher one a refusal for good.
type session struct {
	*smtp.Client
	partner partner
}

// begin begins a session. If the host does not want one, there is a report instead.
func begin(conn net.Conn, s settings, p partner) (*session, string) {
	c := smtp.NewClient(conn, s.timeoutRemote)
	greeting, err := c.Greeting()
	if err != nil {
		c.Close()
		return nil, p.died(err)
	}
	if greeting.Code != 220 {
		c.Quit()
		return nil, "ZConnected to " + p.said(" but greeting failed", greeting)
	}
	hello, err := c.Hello(s.name)
	if err != nil {
		c.Close()
		return nil, p.died(err)
	}
	if hello.Code != 250 {
		c.Quit()
		return nil, "ZConnected to " + p.said(" but my name was rejected", hello)
	}
	return &session{c, p}, ""
}

// send sends a message, and ends the session.
func (s *session) send(d Delivery, r *reports) string {
	report, err := s.transact(d, r)
	switch {
	case errors.Is(err, smtp.ErrMessage):
		s.Close()
		return unreadableMessage
	case err != nil:
		s.Close()
		return s.partner.died(err)
	}
	s.Quit()
	return report
}

// transact sends a message. It adds reports on recipients, and returns the one on the
// message.
func (s *session) transact(d Delivery, r *reports) (string, error) {
	mail, err := s.Mail(path(d.Sender))
	if err != nil {
		return "", err
	}
	if refused(mail) {
		return letter(mail) + "Connected to " + s.partner.said(" but sender was rejected", mail), nil
	}
	anybody := false
	for _, recipient := range d.Recipients {
		report, err := s.recipient(recipient)
		if err != nil {
			return "", err
		}
		r.add(report)
		anybody = anybody || report == recipientAccepted
	}
	if !anybody {
		return "DGiving up on " + s.partner.said("", smtp.Reply{}), nil
	}
	data, err := s.Data()
	if err != nil {
		return "", err
	}
	if refused(data) {
		return letter(data) + s.partner.said(" failed on DATA command", data), nil
	}
	text, err := s.Text(d.Message)
	if err != nil {
		return "", err
	}
	if refused(text) {
		return letter(text) + s.partner.said(" failed after I sent the message", text), nil
	}
	return "K" + s.partner.said(" accepted message", text), nil
}

// recipient names a recipient to the host and returns the report.
func (s *session) recipient(recipient string) (string, error) {
	if smtp.HasLineBreak(recipient) {
		return recipientWithLineBreak, nil
	}
	reply, err := s.Recipient(path(recipient))
	switch {
	case err != nil:
		return "", err
	case reply.Code >= 500:
		return "h" + s.partner.said(" does not like recipient", reply), nil
	case refused(reply):
		return "s" + s.partner.said(" does not like recipient", reply), nil
	}
	return recipientAccepted, nil
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
