package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

// A sink is an SMTP server on every loopback address that accepts everything and
// throws it away.
type sink struct {
	l        net.Listener
	delay    time.Duration // before a message is accepted
	messages atomic.Int64

	pipelining bool         // is offered
	recipients atomic.Int64 // of all messages
	last       atomic.Int64 // when the last message was accepted
}

func (b *bench) startSink(delay time.Duration) (*sink, error) {
	return b.listen(&sink{delay: delay})
}

func (b *bench) listen(s *sink) (*sink, error) {
	l, err := net.Listen("tcp4", fmt.Sprint("0.0.0.0:", b.port(sinkPort)))
	if err != nil {
		return nil, err
	}
	s.l = l
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s, nil
}

func (s *sink) close() { s.l.Close() }

func (s *sink) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 4<<10)
	w := bufio.NewWriterSize(conn, 1<<10)
	w.WriteString("220 sink ESMTP\r\n")
	text, recipients := false, int64(0)
	for {
		if r.Buffered() == 0 && w.Flush() != nil {
			return
		}
		line, err := r.ReadSlice('\n')
		switch {
		case err == bufio.ErrBufferFull:
		case err != nil:
			return
		case text:
			if string(line) == ".\r\n" {
				text = false
				time.Sleep(s.delay)
				s.messages.Add(1)
				s.recipients.Add(recipients)
				s.last.Store(time.Now().UnixNano())
				recipients = 0
				w.WriteString("250 taken\r\n")
			}
		case verb(line, "DATA"):
			text = true
			w.WriteString("354 go ahead\r\n")
		case verb(line, "QUIT"):
			w.WriteString("221 bye\r\n")
			w.Flush()
			return
		case verb(line, "EHLO") && s.pipelining:
			w.WriteString("250-sink\r\n250 PIPELINING\r\n")
		default:
			if verb(line, "RCPT") {
				recipients++
			}
			w.WriteString("250 ok\r\n")
		}
	}
}

func verb(line []byte, v string) bool {
	return len(line) >= len(v) && bytes.EqualFold(line[:len(v)], []byte(v))
}
