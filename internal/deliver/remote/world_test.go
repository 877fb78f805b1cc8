package remote

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/host/ipme"
	"goqmail/internal/wire/dns"
	"goqmail/internal/wire/tcpto"
)

// A world is what a delivery meets: hosts, their names, this machine.
type world struct {
	t     testing.TB
	home  string
	hosts map[netip.AddrPort]*peer
	names names
	own   ipme.Set

	now  time.Time
	over sync.WaitGroup // conversations

	mu    sync.Mutex
	tried []string // connection attempts
}

func newWorld(t testing.TB, control map[string]string) *world {
	t.Helper()
	w := &world{t: t, home: t.TempDir(), hosts: map[netip.AddrPort]*peer{}, names: names{}, now: time.Unix(1800000000, 0)}
	w.own = ipme.Set{netip.MustParseAddr("192.0.2.99"): {}, netip.MustParseAddr("127.0.0.1"): {}, netip.MustParseAddr("2001:db8::99"): {}}
	w.write("control/me", "me.test\n")
	for name, text := range control {
		w.write("control/"+name, text)
	}
	w.write("queue/lock/tcpto", strings.Repeat("\x00", 1024))
	return w
}

func (w *world) write(name, text string) {
	path := filepath.Join(w.home, name)
	os.MkdirAll(filepath.Dir(path), 0o755)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) config() Config {
	return Config{
		Home:     w.home,
		Resolver: w.names,
		Timeouts: tcpto.In(w.home),
		Own:      func() (ipme.Set, error) { return w.own, nil },
		Connect:  w.connect,
		Now:      func() time.Time { return w.now },
	}
}

// deliver sends a small message and returns the reports, NUL as |.
func (w *world) deliver(host, sender string, recipients ...string) string {
	return w.send(Delivery{host, sender, recipients, strings.NewReader("x\n")})
}

func (w *world) send(d Delivery) string {
	reports := w.config().Deliver(context.Background(), d)
	w.over.Wait()
	return strings.ReplaceAll(string(reports), "\x00", "|")
}

func (w *world) connect(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tried = append(w.tried, to.String())
	p := w.hosts[to]
	switch {
	case p == nil:
		return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	case p.unresponsive:
		return nil, &net.OpError{Op: "dial", Err: context.DeadlineExceeded}
	}
	ours, theirs := net.Pipe()
	c := &conversation{}
	p.conversations = append(p.conversations, c)
	w.over.Go(func() { p.talk(theirs, c) })
	return ours, nil
}

// host puts a server on an address, or an address and a port.
func (w *world) host(address string, p *peer) *peer {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		to = netip.AddrPortFrom(netip.MustParseAddr(address), 25)
	}
	w.hosts[to] = p
	return p
}

// A peer is a server. What it answers to a verb is in replies, "text" is the end of
// a message, "" the greeting; CLOSE ends the connection instead.
type peer struct {
	replies      map[string]string
	unresponsive bool
	messages     int // after so many it is gone; 0 means that it stays
	recipients   int // of a message at most; 0 means any number

	conversations []*conversation
}

type conversation struct {
	mu  sync.Mutex
	got strings.Builder
}

var friendly = map[string]string{
	"": "220 hi", "HELO": "250 hello", "EHLO": "250-hello\n250 PIPELINING", "MAIL": "250 sender", "RCPT": "250 recipient", "DATA": "354 go on", "text": "250 got it", "RSET": "250 reset", "QUIT": "221 bye",
}

// says makes a friendly peer that answers some verbs otherwise: "RCPT", "550 no".
func says(replies ...string) *peer {
	p := &peer{replies: map[string]string{}}
	for i := 0; i < len(replies); i += 2 {
		p.replies[replies[i]] = replies[i+1]
	}
	return p
}

func (p *peer) talk(conn net.Conn, c *conversation) {
	defer conn.Close()
	r := bufio.NewReader(io.TeeReader(conn, c))
	say := func(verb, line string) bool {
		reply, ok := p.replies[line]
		if !ok {
			reply, ok = p.replies[verb]
		}
		if !ok {
			reply = friendly[verb]
		}
		if reply == "CLOSE" {
			return false
		}
		_, err := io.WriteString(conn, strings.ReplaceAll(reply, "\n", "\r\n")+"\r\n")
		return err == nil && verb != "QUIT"
	}
	if !say("", "") {
		return
	}
	named := 0
	for messages := 0; ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb, _, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		if verb == "RCPT" {
			if named++; p.recipients > 0 && named > p.recipients {
				io.WriteString(conn, "452 too many\r\n")
				continue
			}
		}
		if !say(verb, strings.TrimRight(line, "\r\n")) {
			return
		}
		reply := p.replies[verb]
		if verb == "DATA" && (reply == "" || reply < "400") {
			for line != ".\r\n" {
				if line, err = r.ReadString('\n'); err != nil {
					return
				}
			}
			if messages++; !say("text", "text") || messages == p.messages {
				return
			}
		}
	}
}

func (c *conversation) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got.Write(b)
}

func (c *conversation) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got.String()
}

// names is the DNS: the records of a name are exchangers ("10 mx.test"), addresses, or
// one error.
type names map[string][]any

var errTemporary = errors.New("no answer")

func (n names) records(name dns.Name) ([]any, error) {
	records := n[strings.TrimSuffix(string(name), ".")]
	if len(records) == 0 {
		return nil, dns.ErrNotFound
	}
	if err, ok := records[0].(error); ok {
		return nil, err
	}
	return records, nil
}

func (n names) Exchangers(_ context.Context, name dns.Name) (list []dns.Exchanger, err error) {
	records, err := n.records(name)
	for _, r := range records {
		if x, ok := r.(dns.Exchanger); ok {
			list = append(list, x)
		}
	}
	if err == nil && len(list) == 0 {
		err = dns.ErrNotFound
	}
	return list, err
}

func (n names) Addresses(_ context.Context, name dns.Name) (list []netip.Addr, err error) {
	records, err := n.records(name)
	for _, r := range records {
		if address, ok := r.(netip.Addr); ok {
			list = append(list, address)
		}
	}
	if err == nil && len(list) == 0 {
		err = dns.ErrNotFound
	}
	return list, err
}

func mx(preference uint16, host string) any {
	return dns.Exchanger{Preference: preference, Host: dns.Name(host + ".")}
}

func ip(address string) any { return netip.MustParseAddr(address) }
