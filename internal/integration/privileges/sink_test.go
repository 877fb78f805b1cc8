package privileges

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"goqmail/internal/integration/site"
)

// A sink is a server that takes all mail, or says what it is told to.
type sink struct {
	messages chan string
	replies  map[string]string // to a command, by its first four letters; to DATA's text by "."

	mu       sync.Mutex
	commands []string
}

func newSink(t *testing.T, address string) *sink {
	t.Helper()
	k := &sink{messages: make(chan string, 1000), replies: map[string]string{"DATA": "354 go on\r\n", "QUIT": "221 bye\r\n"}}
	site.Listen(t, address, k.serve)
	return k
}

// serve takes each line for a command, but those behind DATA up to one that is a dot for
// a message.
func (k *sink) serve(conn net.Conn) {
	conn.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(conn)
	k.reply(conn, "220", "220 sink ESMTP\r\n")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		k.mu.Lock()
		k.commands = append(k.commands, line)
		k.mu.Unlock()
		verb := line[:min(4, len(line))]
		reply := k.reply(conn, verb, "250 ok\r\n")
		if verb == "QUIT" {
			return
		}
		if verb != "DATA" || !strings.HasPrefix(reply, "354") {
			continue
		}
		var text strings.Builder
		for line = ""; line != ".\r\n"; {
			text.WriteString(line)
			if line, err = r.ReadString('\n'); err != nil {
				return
			}
		}
		k.messages <- text.String()
		k.reply(conn, ".", "250 ok\r\n")
	}
}

func (k *sink) reply(conn net.Conn, to, usual string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if other, ok := k.replies[to]; ok {
		usual = other
	}
	io.WriteString(conn, usual)
	return usual
}

// said returns the commands so far.
func (k *sink) said() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.commands
}

// take returns the messages since it was called last, as they are on the wire.
func (k *sink) take() (list []string) {
	for {
		select {
		case m := <-k.messages:
			list = append(list, m)
		default:
			return list
		}
	}
}
