// Package remote is qmail-remote (qmail-remote(8)): it sends a message to
// recipients at another host by SMTP, and reports.
//
//	reports   = { recipient NUL } message NUL
//	recipient = "r"          accepted
//	          | "h" text     refused for good
//	          | "s" text     refused for now
//	message   = "K" text     the host has taken responsibility for all "r"
//	          | "Z" text     it has not, and later it may
//	          | "D" text     it has not and will not
//
// Recipients are reported in the order in which they were given, as far as the
// session came. The texts go to senders in bounces and to the log, where programs
// look for them: those that qmail has are its to the byte.
//
// Which hosts are tried is in hosts.go, what is said to them in session.go, how several
// deliveries share a session in sessions.go, and how they are made one in combined.go. A host
// that cannot be reached, or does not want to talk at all, is passed over for the
// next one, and so is one that has recently timed out more than once (wire/tcpto).
// The first that takes the name of this host is the one whose word counts.
//
// A delivery changes nothing outside of it but that table. Any number of them may run
// at once.
package remote

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"time"

	"goqmail/internal/host/ipme"
	"goqmail/internal/wire/dns"
	"goqmail/internal/wire/smtp"
	"goqmail/internal/wire/tcpto"
)

// A Delivery is a message to be sent.
type Delivery struct {
	Host       string // a domain name, or an address in brackets
	Sender     string
	Recipients []string
	Message    io.Reader
}

// A Config is what deliveries have in common.
type Config struct {
	Home     string
	Resolver Resolver
	Timeouts tcpto.Table
	Own      func() (ipme.Set, error) // the addresses of this machine
	Connect  func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	Now      func() time.Time

	// What a process has that carries out many deliveries; each may be nil.
	Sessions   *Sessions
	Remembered *Remembered
}

// A Resolver knows the DNS.
type Resolver interface {
	Exchangers(ctx context.Context, name dns.Name) ([]dns.Exchanger, error)
	Addresses(ctx context.Context, name dns.Name) ([]netip.Addr, error)
}

// Deliver carries out a delivery and returns the reports.
func (c Config) Deliver(ctx context.Context, d Delivery) []byte {
	message, recipients := c.deliver(ctx, d)
	var all []byte
	for _, r := range recipients {
		all = appendReport(all, r.text)
	}
	return appendReport(all, message)
}

// ImproperlyInvoked is the report on a call with the wrong arguments.
func ImproperlyInvoked() []byte { return appendReport(nil, improperlyInvoked) }

func appendReport(b []byte, report string) []byte { return append(append(b, report...), 0) }

// reports are those on recipients, in their order, as far as the session came.
type reports []report

// A report is one on a recipient, with the code of what the host has answered.
type report struct {
	text string
	code int
}

func (r *reports) add(text string, code int) { *r = append(*r, report{text, code}) }

// deliver returns the report on the message, and those on recipients.
func (c Config) deliver(ctx context.Context, d Delivery) (message string, r reports) {
	s, err := c.settings()
	if err != nil {
		return c.withoutSettings(), nil
	}
	if smtp.HasLineBreak(d.Sender) {
		return senderWithLineBreak, nil
	}
	to, err := s.routes.Destination(d.Host)
	if err != nil {
		return badRoute, nil
	}
	own, err := c.Own()
	if err != nil {
		return noResources, nil
	}
	found := noConnection
	for address, err := range c.hosts(ctx, to, own) {
		if err != nil {
			return lookupReport(err, to.Host), nil
		}
		report, final := c.talk(ctx, s, endpoint{netip.AddrPortFrom(address, to.Port), s.name}, d, &r)
		if final {
			return report, r
		}
		if found == noConnection {
			found = report
		}
	}
	return found, nil
}

// withoutSettings tells why there are no settings: often there is no home at all.
func (c Config) withoutSettings() string {
	if _, err := os.Stat(c.Home); errors.Is(err, fs.ErrNotExist) {
		return noHome
	}
	return noControl
}

// A host that has timed out is passed over for an hour or so. Not everybody shall
// try again at the same time: it is 60 to 91 times 64 seconds.
func passedOver() time.Duration {
	return time.Duration(60+rand.IntN(32)) * 64 * time.Second
}

// talk sends the message to a host. The report is final unless the host was not reached
// (noConnection), or did not want to talk.
func (c Config) talk(ctx context.Context, s settings, to endpoint, d Delivery, r *reports) (report string, final bool) {
	for {
		session, report := c.session(ctx, s, to)
		if session == nil {
			return report, false
		}
		if report, stale := c.send(session, d, r); !stale {
			return report, true
		}
	}
}

// session returns a session that was kept, or a new one, or a report.
func (c Config) session(ctx context.Context, s settings, to endpoint) (*session, string) {
	limited, cancel := context.WithTimeout(ctx, s.timeoutConnect)
	defer cancel()
	for {
		kept, turn := c.Sessions.take(limited, to, s.concurrency)
		switch {
		case !turn:
			return nil, noConnection
		case kept == nil:
			return c.open(ctx, s, to)
		case kept.Quiet():
			return kept, ""
		}
		kept.Quit()
		c.Sessions.leave(to)
	}
}

// open begins a new session.
func (c Config) open(ctx context.Context, s settings, to endpoint) (begun *session, report string) {
	defer func() {
		if begun == nil {
			c.Sessions.leave(to)
		}
	}()
	limited, cancel := context.WithTimeout(ctx, s.timeoutConnect)
	defer cancel()
	conn, err := c.connect(limited, to.at)
	if err != nil {
		return nil, noConnection
	}
	return begin(conn, s.timeoutRemote, to)
}

// send sends the message in a session, which is kept or ended whatever happens. It may
// be stale: kept before, and of no use any more. The host knows nothing of the message
// then.
func (c Config) send(s *session, d Delivery, r *reports) (report string, stale bool) {
	usual := false
	defer func() {
		if !usual || !s.modern || !c.Sessions.keep(s) {
			s.Quit()
			c.Sessions.leave(s.to)
		}
	}()
	report, usual, err := s.send(d, r)
	switch {
	case err == errStale:
		return "", true
	case errors.Is(err, smtp.ErrMessage):
		return unreadableMessage, false
	case err != nil:
		return s.partner().died(err), false
	}
	return report, false
}

// connect connects to a host, unless it has timed out before, and notes what comes of
// it. Trouble with the notes is no trouble for the mail.
func (c Config) connect(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	host := to.Addr()
	record, known := c.Timeouts.Find(host)
	if record.Unreachable(c.Now(), passedOver()) {
		return nil, errTimedOutBefore
	}
	conn, err := c.Connect(ctx, to)
	var n net.Error
	switch {
	case errors.As(err, &n) && n.Timeout():
		c.Timeouts.TimedOut(host, c.Now())
	case known && record.Timeouts > 0:
		c.Timeouts.Answered(host)
	}
	return conn, err
}

var errTimedOutBefore = errors.New("connection attempts have timed out before")
