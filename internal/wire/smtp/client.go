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
// send any number of messages: Mail, Recipient, Data, Text for each.
//
// A reply has to come within Timeout, all of its lines, and so has each piece of a
// message to be taken. After an error other than ErrLineBreak there is nothing to do
// but to Close. A Client is for one goroutine.
type Client struct {
	conn    net.Conn
	in      *bufio.Reader
	timeout time.Duration
	broken  bool // no command can be sent any more
}

// replyBuffer is how much is read of the connection at once: replies are short.
const replyBuffer = 512

// NewClient begins a session over a connection that is just made.
func NewClient(conn net.Conn, timeout time.Duration) *Client {
	return &Client{conn: conn, in: bufio.NewReaderSize(conn, replyBuffer), timeout: timeout}
}

// Greeting waits for what the server says first.
func (c *Client) Greeting() (Reply, error) { return c.reply() }

// Hello tells the name of this host.
func (c *Client) Hello(name string) (Reply, error) { return c.command("HELO " + name) }

// Mail begins a message. The sender is in the form for SMTP.
func (c *Client) Mail(sender string) (Reply, error) { return c.command("MAIL FROM:<" + sender + ">") }

// Recipient adds a recipient, in the form for SMTP.
func (c *Client) Recipient(recipient string) (Reply, error) {
	return c.command("RCPT TO:<" + recipient + ">")
}

// Data asks the server to take the message.
func (c *Client) Data() (Reply, error) { return c.command("DATA") }

// Quit ends the session. The server's last word is not waited for. If there was an
// error before, Quit is like Close.
func (c *Client) Quit() {
	if !c.broken {
		c.send([]byte("QUIT\r\n"))
	}
	c.Close()
}

// Quiet tells whether the server has said nothing since its last reply, and has not
// ended the connection, as far as is known.
func (c *Client) Quiet() bool {
	if c.broken || c.in.Buffered() > 0 {
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

// Close ends the connection.
func (c *Client) Close() { c.conn.Close() }

// HasLineBreak tells whether a text cannot be part of a command.
func HasLineBreak(text string) bool { return strings.ContainsAny(text, "\r\n\x00") }

// command sends a line and waits for the reply.
func (c *Client) command(line string) (Reply, error) {
	if HasLineBreak(line) {
		return Reply{}, ErrLineBreak
	}
	if err := c.send([]byte(line + "\r\n")); err != nil {
		return Reply{}, err
	}
	return c.reply()
}

func (c *Client) send(b []byte) error {
	c.conn.SetWriteDeadline(time.Now().Add(c.timeout))
	_, err := c.conn.Write(b)
	c.broken = c.broken || err != nil
	return err
}

func (c *Client) reply() (Reply, error) {
	c.conn.SetReadDeadline(time.Now().Add(c.timeout))
	reply, err := readReply(c.in)
	c.broken = c.broken || err != nil
	return reply, err
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
	reply, err := c.reply()
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
