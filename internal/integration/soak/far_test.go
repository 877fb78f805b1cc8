package soak

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
)

// takeMail is the other host: it takes mail, and for some of it has to be asked again. A
// message counts for each recipient.
func (l *ledger) takeMail(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go l.receive(conn)
	}
}

// oneIn is true one time in n.
func oneIn(n int) bool { return rand.IntN(n) == 0 }

func (l *ledger) receive(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	if oneIn(20) {
		io.WriteString(conn, "421 not now\r\n")
		return
	}
	io.WriteString(conn, "220 far ESMTP\r\n")
	recipients := 0
	for {
		line, err := in.ReadString('\n')
		if err != nil || len(line) < 4 {
			return
		}
		reply := "250 ok"
		switch line[:4] {
		case "EHLO":
			reply = "250-far\r\n250 PIPELINING"
		case "MAIL":
			recipients = 0
		case "RCPT":
			switch {
			case strings.Contains(line, "<refused@"):
				reply = "550 never heard of him"
			case oneIn(15):
				reply = "451 try again"
			default:
				recipients++
			}
		case "DATA":
			if recipients == 0 {
				reply = "503 for whom?"
				break
			}
			io.WriteString(conn, "354 go on\r\n")
			text, err := data(in)
			if err != nil {
				return
			}
			if oneIn(40) {
				return // it is lost here
			}
			for range recipients {
				l.arrived(text, far)
			}
			if oneIn(40) {
				return // it was taken, but this is not to be known
			}
		case "QUIT":
			io.WriteString(conn, "221 bye\r\n")
			return
		}
		if _, err := fmt.Fprint(conn, reply, "\r\n"); err != nil {
			return
		}
	}
}

// data reads a message up to the dot.
func data(in *bufio.Reader) (string, error) {
	var text strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == ".\r\n" {
			return text.String(), err
		}
		text.WriteString(line)
	}
}
