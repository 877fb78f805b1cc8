package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A client speaks a protocol of lines.
type client struct {
	conn net.Conn
	r    *bufio.Reader
}

func dial(address string) (*client, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &client{conn, bufio.NewReaderSize(conn, 32<<10)}, nil
}

// greeted connects to an SMTP server, again where that is reset before a greeting: some
// let few connections wait.
func greeted(address string) (*client, error) {
	for tries := 0; ; tries++ {
		c, err := dial(address)
		if err != nil {
			return nil, err
		}
		if err = c.say(nil, "220"); err == nil {
			return c, nil
		}
		c.conn.Close()
		if !errors.Is(err, syscall.ECONNRESET) || tries == 100 {
			return nil, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// say sends something and wants an answer that begins with a text.
func (c *client) say(text []byte, want string) error {
	if len(text) > 0 {
		if _, err := c.conn.Write(text); err != nil {
			return err
		}
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte(want)) {
		return fmt.Errorf("the answer to %.20q is %q", text, line)
	}
	return nil
}

// lines reads to the line with a dot alone, and says how many came before it.
func (c *client) lines() (n int, err error) {
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return n, err
		}
		if string(line) == ".\r\n" {
			return n, nil
		}
		n++
	}
}

// smtpLoad sends n messages in a number of sessions at a time. With reuse, a
// session goes on with the next message, else each has a connection of its own.
func smtpLoad(address string, sessions, n int, reuse bool, recipient string, message []byte) error {
	mail := fmt.Appendf(nil, "MAIL FROM:<sender@%s>\r\n", domain)
	rcpt := fmt.Appendf(nil, "RCPT TO:<%s>\r\n", recipient)
	body := append(bytes.ReplaceAll(message, []byte("\n"), []byte("\r\n")), ".\r\n"...)
	var sent atomic.Int64
	session := func() error {
		for sent.Add(1) <= int64(n) {
			c, err := greeted(address)
			if err != nil {
				return err
			}
			err = c.say([]byte("HELO client.example\r\n"), "250")
			for err == nil {
				for _, step := range []struct {
					text []byte
					want string
				}{{mail, "250"}, {rcpt, "250"}, {[]byte("DATA\r\n"), "354"}, {body, "250"}} {
					if err = c.say(step.text, step.want); err != nil {
						break
					}
				}
				if err != nil || !reuse || sent.Add(1) > int64(n) {
					break
				}
			}
			if err == nil {
				err = c.say([]byte("QUIT\r\n"), "221")
			}
			c.conn.Close()
			if err != nil {
				return err
			}
		}
		return nil
	}
	failed := make(chan error, sessions)
	var all sync.WaitGroup
	for range sessions {
		all.Go(func() {
			if err := session(); err != nil {
				failed <- err
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// popLoad reads n messages of a mailbox.
func popLoad(address, user string, n int) error {
	c, err := dial(address)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	for _, text := range []string{"", "USER " + user + "\r\n", "PASS secret\r\n"} {
		if err := c.say([]byte(text), "+OK"); err != nil {
			return err
		}
	}
	for i := range n {
		if err := c.say(fmt.Appendf(nil, "RETR %d\r\n", i+1), "+OK"); err != nil {
			return err
		}
		if _, err := c.lines(); err != nil {
			return err
		}
	}
	return c.say([]byte("QUIT\r\n"), "+OK")
}
