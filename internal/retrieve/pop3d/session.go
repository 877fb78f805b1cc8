// Package pop3d lets a user read and delete the mail in a maildir by POP3
// (qmail-pop3d(8), RFC 1939). It begins where the user is known.
//
//	STAT        +OK number octets        deleted messages are counted in the number
//	LIST [m]    +OK m octets             octets of the file, where a line ends with LF
//	UIDL [m]    +OK m unique-id          the name of the file, without flags
//	RETR m      +OK and the message
//	TOP m n     +OK, the header and n lines of the body
//	DELE m      +OK; the message is gone when the session ends with QUIT
//	RSET        +OK; nothing is marked deleted
//	LAST        +OK m                    the highest number that DELE had (RFC 1081)
//	NOOP        +OK
//	QUIT        +OK; what is marked is removed, what was in new is moved to cur
//
// Messages are numbered from 1 in the order of the times of their files. Messages
// that come later are not seen, and those that go are "unable to open that
// message". A session that ends in any other way than by QUIT leaves the maildir as
// it was. Several sessions at a time do no harm to each other.
//
// A maildir is the user's own, and the session is run by the user, but nobody else
// shall have to wait or pay for what is in it: only regular files are messages, a
// message is never kept in memory, and the list takes about 200 bytes for each.
//
// Texts are those of qmail 1.03, to the byte.
package pop3d

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"goqmail/internal/host/control"
	"goqmail/internal/retrieve/pop3"
)

// Serve holds a session over a mailbox. It knows CAPA if capable is true. It
// returns nil after QUIT, and else what has ended the session.
func Serve(m *Mailbox, in io.Reader, out io.Writer, capable bool) error {
	s := &session{Session: pop3.New(in, out, capable, "IMPLEMENTATION goqmail"), Mailbox: m}
	s.sender.out = s.Out
	s.OK("")
	err := s.Run(s.command)
	if err == pop3.ErrQuit {
		return nil
	}
	return err
}

// Refuse tells a client what is wrong with a maildir: the error of Open.
func Refuse(out io.Writer, err error) {
	text := "this user has no $HOME/Maildir"
	if errors.Is(err, ErrScan) {
		text = "unable to scan $HOME/Maildir"
	}
	io.WriteString(out, "-ERR "+text+"\r\n")
}

type session struct {
	*pop3.Session
	*Mailbox
	last   int // the highest number that DELE had
	sender sender
}

func (s *session) command(verb, argument string) error {
	switch verb {
	case "quit":
		s.quit()
		return pop3.ErrQuit
	case "stat":
		s.stat()
	case "list":
		s.list(argument, func(m *message) string { return strconv.FormatInt(m.Size, 10) })
	case "uidl":
		s.list(argument, func(m *message) string { return m.uid })
	case "retr", "top":
		return s.retrieve(argument)
	case "dele":
		if i, ok := s.number(argument); ok {
			s.messages[i].deleted = true
			s.last = max(s.last, i+1)
			s.OK("")
		}
	case "rset":
		for i := range s.messages {
			s.messages[i].deleted = false
		}
		s.last = 0
		s.OK("")
	case "last":
		s.OK(strconv.Itoa(s.last))
	case "noop":
		s.OK("")
	default:
		s.Err("unimplemented")
	}
	return nil
}

func (s *session) stat() {
	var total int64
	for _, m := range s.messages {
		if !m.deleted {
			total += m.Size
		}
	}
	s.OK(strconv.Itoa(len(s.messages)) + " " + strconv.FormatInt(total, 10))
}

// list answers LIST and UIDL, for one message or for all.
func (s *session) list(argument string, what func(*message) string) {
	line := func(i int) string { return strconv.Itoa(i+1) + " " + what(&s.messages[i]) }
	if argument != "" {
		if i, ok := s.number(argument); ok {
			s.OK(line(i))
		}
		return
	}
	s.OK("")
	for i := range s.messages {
		if !s.messages[i].deleted {
			s.Out.WriteString(line(i) + "\r\n")
		}
	}
	s.End()
}

// number reads the number of a message, and tells the client where there is no
// such message. What follows the digits is not looked at.
func (s *session) number(argument string) (i int, ok bool) {
	n, ok := control.LeadingNumber(argument)
	switch {
	case !ok:
		s.Err("syntax error")
	case n == 0:
		s.Err("messages are counted from 1")
	case n > uint64(len(s.messages)):
		s.Err("not that many messages")
	case s.messages[n-1].deleted:
		s.Err("already deleted")
	default:
		return int(n - 1), true
	}
	return 0, false
}

// retrieve answers TOP, and RETR, which is TOP without a number of lines.
func (s *session) retrieve(argument string) error {
	i, ok := s.number(argument)
	if !ok {
		return nil
	}
	var top *uint64
	rest := strings.TrimLeft(strings.TrimLeft(argument, "0123456789"), " ")
	if n, ok := control.LeadingNumber(rest); ok {
		top = &n
	}
	f, err := s.maildir.Read(&s.messages[i].Message)
	if err != nil {
		s.Err("unable to open that message")
		return nil
	}
	defer f.Close()
	s.OK("")
	return s.sender.message(f, top)
}

// quit removes what is marked. The rest is not new any more; where it cannot be
// moved to cur, it stays new.
func (s *session) quit() {
	for i := range s.messages {
		m := &s.messages[i]
		if !m.deleted {
			s.maildir.Notice(&m.Message)
		} else if s.maildir.Remove(&m.Message) != nil {
			s.Err("unable to unlink all deleted messages")
		}
	}
	s.OK("")
}
