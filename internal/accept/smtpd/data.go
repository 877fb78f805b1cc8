package smtpd

import (
	"fmt"
	"io"

	"goqmail/internal/mail/outcome"
	"goqmail/internal/mail/received"
	"goqmail/internal/wire/smtp"
	"goqmail/internal/wire/submit"
)

// maxHops is how many Received and Delivered-To fields a message may not have: it
// is running in circles.
const maxHops = 100

// data takes the message of the transaction, which ends with it.
func (s *session) data() error {
	t := s.transaction
	switch {
	case t == nil:
		s.reply("503 MAIL first (#5.5.1)")
		return nil
	case t.recipients.Count() == 0:
		s.reply("503 RCPT first (#5.5.1)")
		return nil
	}
	defer s.forget()
	m, err := s.client.Queue.Open()
	if err != nil {
		s.client.Warn("warning: " + err.Error())
		s.reply("451 qqt failure (#4.3.0)")
		return nil
	}
	defer m.Abandon()
	s.reply("354 go ahead")
	m.WriteString(received.Field(s.peer, "SMTP", s.client.Now()))
	verdict, err := s.text(m)
	if err != nil {
		return err
	}
	m.From(t.sender)
	if err := t.recipients.Each(m.To); err != nil {
		s.client.Warn("warning: " + err.Error())
		m.Cancel()
	}
	s.answer(m, m.Close(), verdict)
	return nil
}

// text copies the text of a message. Where the message is not wanted it reads on
// to the end, and returns the reply.
func (s *session) text(m *submit.Message) (verdict string, err error) {
	text := smtp.NewText(s.In)
	var size uint64
	for {
		piece, err := text.Next()
		size += uint64(len(piece))
		if s.databytes > 0 && size > s.databytes {
			verdict = "552 sorry, that message size exceeds my databytes limit (#5.3.4)"
			m.Cancel()
		}
		m.Write(piece)
		switch {
		case err == io.EOF && text.Hops() >= maxHops:
			m.Cancel()
			return "554 too many hops, this message is looping (#5.4.6)", nil
		case err == io.EOF:
			return verdict, nil
		case err != nil:
			return "", err
		}
	}
}

// answer says what has become of a message.
func (s *session) answer(m *submit.Message, err error, verdict string) {
	switch {
	case err == nil:
		s.reply(fmt.Sprintf("250 ok %d qp %d", s.client.Now().Unix(), m.Pid()))
	case verdict != "":
		s.reply(verdict)
	case outcome.Of(err) == outcome.Failure:
		s.reply("554 " + err.Error())
	default:
		s.reply("451 " + err.Error())
	}
}
