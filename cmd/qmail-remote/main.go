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
	"goqmail/internal/host/confine"
	"goqmail/internal/host/home"
	"goqmail/internal/host/ipme"
	"goqmail/internal/host/process"
	"goqmail/internal/wire/dns"
	"goqmail/internal/wire/resident"
	"goqmail/internal/wire/tcpto"
)

func main() {
	process.Start(0o077)
	if err := confine.Self(remote.Files(home.Dir())...); err != nil {
		process.Exit("qmail-remote", err)
	}
	if resident.Asked(os.Args) {
		process.Exit("qmail-remote", reside())
	}
	var message io.Reader = os.Stdin
	if process.Closed(0) {
		message = closed{}
	}
	config := config()
	config.Own = ipme.Addresses
	os.Stdout.Write(deliver(config, os.Args[1:], message)) // the exit code is 0 whatever comes of it
}

func config() remote.Config {
	return remote.Config{
		Home:     home.Dir(),
		Resolver: dns.InFile("/etc/resolv.conf"),
		Timeouts: tcpto.In(home.Dir()),
		Connect:  connect,
		Now:      time.Now,
	}
}

// deliver carries out a delivery and returns the reports.
func deliver(config remote.Config, args []string, message io.Reader) []byte {
	if len(args) < 3 {
		return remote.ImproperlyInvoked()
	}
	return config.Deliver(context.Background(), remote.Delivery{Host: args[0], Sender: args[1], Recipients: args[2:], Message: message})
}

const (
	// filesPerDelivery is how many descriptors a delivery takes: its message, a
	// connection, one to a name server, one for a table; and one for a session that
	// waits for the next delivery.
	filesPerDelivery = 5
	// atOnce is how many deliveries there are in a process, if descriptors suffice.
	atOnce = 500
)

// reside carries out deliveries for qmail-rspawn: the fields of a request are the
// arguments, its file is the message, and the reply is what would be printed; for
// several recipients, what would be printed of each if he were alone.
func reside() error {
	config := config()
	config.Own = (&ipme.Recent{While: 5 * time.Second}).Addresses
	config.Remembered = new(remote.Remembered)
	config.Sessions = &remote.Sessions{Idle: 3 * time.Second, Messages: 100}
	defer config.Sessions.Close()
	most := max(1, min(atOnce, int(process.OpenFiles()/filesPerDelivery)))
	return resident.Serve(most, func(r *resident.Request) []string {
		var message io.Reader = closed{}
		if len(r.Files) > 0 {
			message = r.Files[0]
		}
		if len(r.Fields) > 3 && len(r.Files) > 0 {
			return deliverEach(config, r.Fields, r.Files[0])
		}
		return []string{string(deliver(config, r.Fields, message))}
	})
}

// deliverEach carries out a delivery to several recipients.
func deliverEach(config remote.Config, args []string, message *os.File) (printed []string) {
	d := remote.Delivery{Host: args[0], Sender: args[1], Recipients: args[2:], Message: message}
	rewind := func() error { _, err := message.Seek(0, io.SeekStart); return err }
	for _, output := range config.DeliverEach(context.Background(), d, rewind) {
		printed = append(printed, string(output))
	}
	return printed
}

// connect connects without the probes of idle connections that are Go's default:
// every read has a limit of time.
func connect(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	dialer := net.Dialer{KeepAlive: -1}
	return dialer.DialContext(ctx, "tcp", to.String())
}

// closed stands in for a message that is not there.
type closed struct{}

func (closed) Read([]byte) (int, error) { return 0, os.ErrClosed }
