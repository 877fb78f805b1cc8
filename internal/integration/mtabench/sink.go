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
}

func (b *bench) startSink(delay time.Duration) (*sink, error) {
	l, err := net.Listen("tcp4", fmt.Sprint("0.0.0.0:", b.port(sinkPort)))
	if err != nil {
		return nil, err
	}
	s := &sink{l: l, delay: delay}
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
	text := false
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
				w.WriteString("250 taken\r\n")
			}
		case verb(line, "DATA"):
			text = true
			w.WriteString("354 go ahead\r\n")
		case verb(line, "QUIT"):
			w.WriteString("221 bye\r\n")
			w.Flush()
			return
		default:
			w.WriteString("250 ok\r\n")
		}
	}
}

func verb(line []byte, v string) bool {
	return len(line) >= len(v) && bytes.EqualFold(line[:len(v)], []byte(v))
}
