package model

import (
	"fmt"
	"strings"
)

// A server is the model of qmail-smtpd: what it is told by control files, environment and
// qmail-queue. Its answer depends on these and on the bytes of the client, never on the
// pieces in which they come.
type server struct {
	me        string   // greeting, and the host in place of this machine's addresses
	hosts     []string // rcpthosts; nil takes all
	bad       []string // badmailfrom
	databytes int      // 0 is no limit
	most      int      // maxrcpt; 0 is no limit
	relays    bool     // RELAYCLIENT is set,
	suffix    string   // to this
	host      string   // TCPREMOTEHOST
	client    string   // TCPREMOTEINFO and TCPREMOTEIP, as Received has them
	local     string   // TCPLOCALHOST
	verdict   string   // what the client is told by a qmail-queue that is not fine with a message
	unbounded bool     // commands may have any length, as in C
}

// A letter is what qmail-queue gets.
type letter struct{ text, envelope string }

// An exchange is what comes of a session.
type exchange struct {
	replies string   // times and numbers left out
	letters []letter // those that were accepted
	quit    bool     // the client has said QUIT
	ended   bool     // the server has closed the connection
}

// The limits, in bytes but for the hops.
const (
	longestCommand = 256 << 10
	longestAddress = 899
	mostHops       = 100
)

// accepted is the reply to a message, without its numbers.
const accepted = "250 ok TIME qp PID"

// A conversation is a session under way.
type conversation struct {
	server
	exchange
	in   string // what is still to be read
	helo string // what Received says of it

	mail      bool
	sender    string
	envelope  string
	addressed int
}

// answer is what the server does with all that a client sends before it closes.
func (s server) answer(in string) exchange {
	c := &conversation{server: s, in: in}
	c.reply("220 " + s.me + " ESMTP")
	for !c.ended {
		line, rest, whole := strings.Cut(c.in, "\n")
		if !whole {
			break
		}
		c.in = rest
		c.command(line)
	}
	return c.exchange
}

func (c *conversation) reply(line string) { c.replies += line + "\r\n" }

func (c *conversation) end(line string) {
	c.reply(line)
	c.ended = true
}

func (c *conversation) command(line string) {
	if len(line) >= longestCommand && !c.unbounded {
		c.reply("500 command line too long (#5.5.2)")
		return
	}
	line, _, _ = strings.Cut(strings.TrimSuffix(line, "\r"), "\x00")
	verb, argument, _ := strings.Cut(line, " ")
	argument = strings.TrimLeft(argument, " ")
	switch lower(verb) {
	case "helo":
		c.hello(argument)
		c.reply("250 " + c.me)
	case "ehlo":
		c.hello(argument)
		c.reply("250-" + c.me + "\r\n250-PIPELINING\r\n250 8BITMIME")
	case "rset":
		c.mail = false
		c.reply("250 flushed")
	case "noop":
		c.reply("250 ok")
	case "vrfy":
		c.reply("252 send some mail, i'll try my best")
	case "help":
		c.reply("214 HELP")
	case "quit":
		c.quit = true
		c.end("221 " + c.me)
	case "mail":
		c.sendBy(c.address(argument))
	case "rcpt":
		c.sendTo(argument)
	case "data":
		c.data()
	default:
		c.reply("502 unimplemented (#5.5.1)")
	}
}

// lower is for names, which are ASCII.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 32
		}
	}
	return string(b)
}

func (c *conversation) hello(name string) {
	c.mail = false
	c.helo = ""
	if lower(name) != lower(c.host) {
		c.helo = " (HELO " + plain(name) + ")"
	}
}

func (c *conversation) sendBy(sender string) {
	if len(sender) > longestAddress {
		c.reply("555 syntax error (#5.5.4)")
		return
	}
	c.mail, c.sender, c.envelope, c.addressed = true, sender, "F"+sender+"\x00", 0
	c.reply("250 ok")
}

func (c *conversation) sendTo(argument string) {
	recipient := c.address(argument)
	_, host, hasHost := cutLast(recipient, "@")
	switch {
	case !c.mail:
		c.reply("503 MAIL first (#5.5.1)")
		return
	case len(recipient) > longestAddress:
		c.reply("555 syntax error (#5.5.4)")
		return
	case c.barred():
		c.reply("553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)")
		return
	case c.relays:
		recipient += c.suffix
	case hasHost && !c.served(lower(host)):
		c.reply("553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)")
		return
	}
	if c.most > 0 && c.addressed >= c.most {
		c.reply("452 too many recipients (#4.5.3)")
		return
	}
	c.addressed++
	c.envelope += "T" + recipient + "\x00"
	c.reply("250 ok")
}

// barred holds where badmailfrom has the sender, or his host behind an @.
func (c *conversation) barred() bool {
	_, host, hasHost := cutLast(lower(c.sender), "@")
	for _, bad := range c.bad {
		if bad = lower(bad); bad == lower(c.sender) || hasHost && bad == "@"+host {
			return true
		}
	}
	return false
}

// served holds where rcpthosts has the host, or a domain that it is in behind a dot.
func (c *conversation) served(host string) bool {
	for _, h := range c.hosts {
		if h = lower(h); h == host || h[0] == '.' && strings.HasSuffix(host, h) {
			return true
		}
	}
	return c.hosts == nil
}

// address is the one in the argument of MAIL or RCPT.
func (c *conversation) address(argument string) string {
	end := byte('>')
	_, path, bracket := strings.Cut(argument, "<")
	if !bracket {
		end = ' '
		_, path, _ = strings.Cut(argument, ":")
		path = strings.TrimLeft(path, " ")
	}
	if strings.HasPrefix(path, "@") { // a route
		_, path, _ = strings.Cut(path, ":")
	}
	address, quoted := "", false
	for i := 0; i < len(path) && (quoted || path[i] != end); i++ {
		switch {
		case path[i] == '"':
			quoted = !quoted
		case path[i] != '\\':
			address += path[i : i+1]
		case i+1 < len(path):
			i++
			address += path[i : i+1]
		}
	}
	if local, host, _ := cutLast(address, "@"); host == "[127.0.0.1]" {
		address = local + "@" + c.me
	}
	return address
}

func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}

func (c *conversation) data() {
	switch {
	case !c.mail:
		c.reply("503 MAIL first (#5.5.1)")
		return
	case c.addressed == 0:
		c.reply("503 RCPT first (#5.5.1)")
		return
	}
	c.mail = false
	c.reply("354 go ahead")
	text, hops, problem := c.text()
	switch {
	case problem != "":
		c.end(problem)
	case c.ended:
	case hops >= mostHops:
		c.reply("554 too many hops, this message is looping (#5.4.6)")
	case c.databytes > 0 && len(text) > c.databytes:
		c.reply("552 sorry, that message size exceeds my databytes limit (#5.3.4)")
	default:
		received := fmt.Sprintf("Received: from %s%s (%s)\n  by %s with SMTP; DATE\n", plain(c.host), c.helo, c.client, plain(c.local))
		c.letters = append(c.letters, letter{received + text, c.envelope + "\x00"})
		if c.verdict != "" {
			c.reply(c.verdict)
			return
		}
		c.reply(accepted)
	}
}

// text reads a message. It ends with a line of one dot; each line ends with CR and LF, and
// an LF without CR is refused where it is seen.
func (c *conversation) text() (text string, hops int, problem string) {
	header := true
	for {
		line, rest, whole := strings.Cut(c.in, "\n")
		if !whole {
			c.ended = true
			return "", 0, ""
		}
		c.in = rest
		line, crlf := strings.CutSuffix(line, "\r")
		switch {
		case !crlf:
			return "", 0, "451 See https://cr.yp.to/docs/smtplf.html."
		case line == ".":
			return text, hops, ""
		case line == "":
			header = false
		case header && (strings.HasPrefix(lower(line), "received") || strings.HasPrefix(lower(line), "delivered")):
			hops++
		}
		// A dot that was doubled, or stands before a CR, is not the end.
		if strings.HasPrefix(line, ".") && !strings.HasPrefix(line, ".\r") {
			line = line[1:]
		}
		text += line + "\n"
	}
}

// plain is a client's word as Received shows it.
func plain(word string) string {
	b := []byte(word)
	for i, c := range b {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.@%+/=:-[]", rune(c)) {
			b[i] = '?'
		}
	}
	return string(b)
}
