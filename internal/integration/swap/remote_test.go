package swap

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"goqmail/internal/integration/site"
)

// A remoteHost is an SMTP server on 127.0.0.2 that counts messages. It refuses
// the recipient "refused" for good, and all of them for now when told to.
type remoteHost struct {
	l net.Listener

	mu       sync.Mutex
	messages int
	refusing bool
}

func startRemote(t *testing.T) *remoteHost {
	t.Helper()
	h := new(remoteHost)
	h.l = site.Listen(t, "127.0.0.2:25", h.serve)
	return h
}

func (h *remoteHost) close() { h.l.Close() }

func (h *remoteHost) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.messages
}

func (h *remoteHost) refuse(refusing bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refusing = refusing
}

func (h *remoteHost) serve(conn net.Conn) {
	fmt.Fprint(conn, "220 remote.example\r\n")
	inText := false
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		line := lines.Text()
		h.mu.Lock()
		refusing := h.refusing
		switch {
		case inText && line == ".":
			h.messages++
			inText = false
			fmt.Fprint(conn, "250 taken\r\n")
		case inText:
		case line == "DATA":
			inText = true
			fmt.Fprint(conn, "354 go ahead\r\n")
		case line == "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
		case strings.HasPrefix(line, "RCPT") && refusing:
			fmt.Fprint(conn, "450 not now\r\n")
		case strings.Contains(line, "<refused@"):
			fmt.Fprint(conn, "550 no such user\r\n")
		default:
			fmt.Fprint(conn, "250 ok\r\n")
		}
		h.mu.Unlock()
	}
}
