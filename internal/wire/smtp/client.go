package smtp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What can go wrong in a session, for errors.Is. Any other error means that the
// connection has died, or the time for a reply was up.
var (
	// ErrLineBreak says that a command was not sent: an address in it has a CR, an
	// LF or a NUL, so that a part of it could be taken for another command.
	ErrLineBreak = errors.New("a line break within a command")
	// ErrMessage says that the message could not be read. It was not sent to its
	// end, and the connection is of no more use.
	ErrMessage = errors.New("unable to read the message")
	// ErrUncertain says that the connection died when the message was sent to its
	// end: the server may have accepted it.
	ErrUncertain = errors.New("the message may have been accepted")
)

// A Client is the side of a session that sends mail. After Greeting and Hello it may
// send any number of messages: Mail, Recipient and Data for each, each of which is
// answered by a Reply, and Text.
//
// A command is sent when a reply is waited for. With a server that has PIPELINING
// (RFC 2920) several commands up to Data may be given before the first of their replies;
// otherwise one at a time.
//
// A reply has to come within Timeout, all of its lines, and so has each piece of a
// message to be taken. After an error other than ErrLineBreak there is nothing to do
// but to Close. A Client is for one goroutine.
type Client struct {
	conn       net.Conn
	in         *bufio.Reader
	timeout    time.Duration
	commands   []byte // those that are not sent yet
	unanswered int    // commands
	pipelining bool
	broken     bool // no command can be sent any more
	closed     bool
}

// replyBuffer is how much is read of the connection at once: replies are short.
const replyBuffer = 512

// NewClient begins a session over a connection that is just made.
func NewClient(conn net.Conn, timeout time.Duration) *Client {
	return &Client{conn: conn, in: bufio.NewReaderSize(conn, replyBuffer), timeout: timeout, unanswered: 1}
}

// Greeting waits for what the server says first.
func (c *Client) Greeting() (Reply, error) { return c.Reply() }

// Hello tells the name of this host. A server of today is told by EHLO, and by HELO if
// it does not know that.
func (c *Client) Hello(name string, today bool) (Reply, error) {
	if today {
		reply, err := c.ask("EHLO " + name)
		if err != nil || reply.Code < 500 {
			c.pipelining = offers(reply, "PIPELINING")
			return reply, err
		}
	}
	return c.ask("HELO " + name)
}

// offers tells whether an extension is named in the reply to EHLO.
func offers(reply Reply, extension string) bool {
	for line := range strings.Lines(reply.Text) {
		if len(line) > 4 {
			if keyword, _, _ := strings.Cut(strings.TrimRight(line[4:], " \n"), " "); strings.EqualFold(keyword, extension) {
				return true
			}
		}
	}
	return false
}

// Pipelining tells whether the server takes several commands at once.
func (c *Client) Pipelining() bool { return c.pipelining }

// Mail begins a message. The sender is in the form for SMTP.
func (c *Client) Mail(sender string) error { return c.command("MAIL FROM:<" + sender + ">") }

// Recipient adds a recipient, in the form for SMTP.
func (c *Client) Recipient(recipient string) error { return c.command("RCPT TO:<" + recipient + ">") }

// Data asks the server to take the message.
func (c *Client) Data() error { return c.command("DATA") }

// Quit ends the session. The server's last word is not waited for. If there was an
// error before, or replies are outstanding, Quit is like Close.
func (c *Client) Quit() {
	if !c.broken && c.unanswered == 0 {
		c.send([]byte("QUIT\r\n"))
	}
	c.Close()
}

// Quiet tells whether the server has said nothing since its last reply, and has not
// ended the connection, as far as is known.
func (c *Client) Quiet() bool {
	if c.broken || c.unanswered > 0 || c.in.Buffered() > 0 {
		return false
	}
	socket, ok := c.conn.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	err = raw.Control(func(fd uintptr) {
		_, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		quiet = err == unix.EAGAIN
	})
	return err == nil && quiet
}

// Skip passes over the replies that are outstanding and do not matter any more, before
// Quit. It does not wait long for them. A server that accepts something all the same
// gets no further word: the connection is closed.
func (c *Client) Skip() {
	const patience = 5 * time.Second
	c.timeout = min(c.timeout, patience)
	for c.unanswered > 0 {
		if reply, err := c.Reply(); err != nil || reply.Code < 400 {
			c.Close()
			return
		}
	}
}

// Close ends the connection.
func (c *Client) Close() {
	if !c.closed {
		c.broken, c.closed = true, true
		c.conn.Close()
	}
}

// HasLineBreak tells whether a text cannot be part of a command.
func HasLineBreak(text string) bool { return strings.ContainsAny(text, "\r\n\x00") }

// command has a line sent with the next wait for a reply.
func (c *Client) command(line string) error {
	if HasLineBreak(line) {
		return ErrLineBreak
	}
	c.commands = append(append(c.commands, line...), crlf...)
	c.unanswered++
	return nil
}

// ask sends a command and waits for its reply.
func (c *Client) ask(line string) (Reply, error) {
	if err := c.command(line); err != nil {
		return Reply{}, err
	}
	return c.Reply()
}

// Reply waits for the reply to the first command that has none.
func (c *Client) Reply() (Reply, error) {
	if len(c.commands) > 0 {
		err := c.send(c.commands)
		c.commands = c.commands[:0]
		if err != nil {
			return Reply{}, err
		}
	}
	c.conn.SetReadDeadline(time.Now().Add(c.timeout))
	reply, err := readReply(c.in)
	c.unanswered--
	c.broken = c.broken || err != nil
	return reply, err
}

func (c *Client) send(b []byte) error {
	c.conn.SetWriteDeadline(time.Now().Add(c.timeout))
	_, err := c.conn.Write(b)
	c.broken = c.broken || err != nil
	return err
}

const (
	pieceSize = 32 << 10 // how much of a message is read at once
	writeSize = 32 << 10 // how much is sent at once, at least
)

// A transfer has the buffers for sending a message. They are large, and are needed
// while it is sent only.
type transfer struct {
	piece [pieceSize]byte
	text  [writeSize + 2*pieceSize + 16]byte
}

var transfers = sync.Pool{New: func() any { return new(transfer) }}

// Text sends a message, in pieces that are large, the last of which has the end of
// the text, and waits for the server's answer to all of it.
func (c *Client) Text(message io.Reader) (Reply, error) {
	if err := c.sendText(message); err != nil {
		return Reply{}, err
	}
	c.unanswered++
	reply, err := c.Reply()
	if err != nil {
		return Reply{}, fmt.Errorf("%w: %w", ErrUncertain, err)
	}
	return reply, nil
}

func (c *Client) sendText(message io.Reader) error {
	t := transfers.Get().(*transfer)
	defer transfers.Put(t)
	c.broken = true // until all of it is sent: a command would be part of the text
	var out Outgoing
	text := t.text[:0]
	for {
		n, err := message.Read(t.piece[:])
		text = out.Append(text, t.piece[:n])
		switch {
		case err == io.EOF:
			if err := c.send(out.End(text)); err != nil {
				return fmt.Errorf("%w: %w", ErrUncertain, err)
			}
			c.broken = false
			return nil
		case err != nil:
			return fmt.Errorf("%w: %w", ErrMessage, err)
		case len(text) >= writeSize:
			if err := c.send(text); err != nil {
				return err
			}
			text = text[:0]
		}
	}
}
