// qmail-remote sends a message by SMTP (qmail-remote(8)).
package main

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"goqmail/internal/deliver/remote"
	"goqmail/internal/host/home"
	"goqmail/internal/host/ipme"
	"goqmail/internal/host/process"
	"goqmail/internal/wire/dns"
	"goqmail/internal/wire/tcpto"
)

func main() {
	process.Start(0o077)
	os.Stdout.Write(run(os.Args[1:])) // the exit code is 0 whatever comes of it
}

func run(args []string) []byte {
	if len(args) < 3 {
		return remote.ImproperlyInvoked()
	}
	var message io.Reader = os.Stdin
	if process.Closed(0) {
		message = closed{}
	}
	return remote.Config{
		Home:     home.Dir(),
		Resolver: dns.FromFile("/etc/resolv.conf"),
		Timeouts: tcpto.In(home.Dir()),
		Own:      ipme.Addresses,
		Connect:  connect,
		Now:      time.Now,
	}.Deliver(context.Background(), remote.Delivery{Host: args[0], Sender: args[1], Recipients: args[2:], Message: message})
}

// connect connects without the probes of idle connections that are Go's default:
// every read has a limit of time.
func connect(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	dialer := net.Dialer{KeepAlive: -1}
	return dialer.DialContext(ctx, "tcp", to.String())
}

// closed stands in for a descriptor that the caller left closed.
type closed struct{}

func (closed) Read([]byte) (int, error) { return 0, os.ErrClosed }
