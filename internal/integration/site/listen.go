package site

import (
	"net"
	"testing"
)

// Listen has a server of the test's own serve each connection to an address, side by side,
// until the test ends or the listener is closed. A connection is closed when serve returns.
func Listen(t testing.TB, address string, serve func(net.Conn)) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return l
}
