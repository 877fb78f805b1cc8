package dns

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Resolver knows whom to ask. It may be used by many at once.
type Resolver struct {
	Servers  []netip.AddrPort
	Timeout  time.Duration // for each server, each time
	Attempts int           // how often all servers are asked
	Rotate   bool          // begin with any of the servers, to spread the load

	// Dial connects to a server; nil means by the network. The context has no
	// deadline.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Limits and defaults are those of resolv.conf(5).
const (
	port            = 53
	maxServers      = 3
	defaultTimeout  = 5
	maxTimeout      = 30
	defaultAttempts = 2
	maxAttempts     = 5
	maxConfig       = 64 << 10
	maxSearch       = 6
)

// A File is a resolver that does what a resolv.conf(5) says, and reads it again when it
// has changed. It may be used by many at once.
type File struct {
	path string

	mu    sync.Mutex
	state os.FileInfo // nil before the first question, and if there is no file
	r     *Resolver
}

// InFile returns the resolver of a file.
func InFile(path string) *File { return &File{path: path} }

// Exchangers is that of Resolver.
func (f *File) Exchangers(ctx context.Context, name Name) ([]Exchanger, error) {
	return f.resolver().Exchangers(ctx, name)
}

// Addresses is that of Resolver.
func (f *File) Addresses(ctx context.Context, name Name) ([]netip.Addr, error) {
	return f.resolver().Addresses(ctx, name)
}

func (f *File) resolver() *Resolver {
	f.mu.Lock()
	defer f.mu.Unlock()
	state, err := os.Stat(f.path)
	if err != nil {
		state = nil
	}
	if f.r == nil || !sameState(f.state, state) {
		f.r, f.state = FromFile(f.path), state
	}
	return f.r
}

func sameState(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// FromFile reads resolv.conf(5): the lines "nameserver", and of the options
// "timeout", "attempts" and "rotate". As everywhere, a file that says nothing, or
// is not there, means a server on this host.
func FromFile(path string) *Resolver {
	f, err := os.Open(path)
	if err != nil {
		return read(strings.NewReader(""))
	}
	defer f.Close()
	return read(f)
}

// SearchList returns the domains in which a person's short name for a host is looked
// for: those of "search" or "domain" in resolv.conf(5), whichever comes last. No mail
// is delivered by it.
func SearchList(path string) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var list []string
	lines := bufio.NewScanner(io.LimitReader(f, maxConfig))
	for lines.Scan() {
		if words := strings.Fields(lines.Text()); len(words) > 1 && (words[0] == "search" || words[0] == "domain") {
			list = words[1:min(len(words), 1+maxSearch)]
		}
	}
	return list
}

func read(file io.Reader) *Resolver {
	r := &Resolver{Timeout: defaultTimeout * time.Second, Attempts: defaultAttempts}
	lines := bufio.NewScanner(io.LimitReader(file, maxConfig))
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) < 2:
		case words[0] == "nameserver":
			if address, err := netip.ParseAddr(words[1]); err == nil && len(r.Servers) < maxServers {
				r.Servers = append(r.Servers, netip.AddrPortFrom(address, port))
			}
		case words[0] == "options":
			for _, option := range words[1:] {
				r.set(option)
			}
		}
	}
	if len(r.Servers) == 0 {
		r.Servers = []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)}
	}
	return r
}

func (r *Resolver) set(option string) {
	name, value, _ := strings.Cut(option, ":")
	n, err := strconv.Atoi(value)
	number := err == nil && n > 0
	switch {
	case name == "timeout" && number:
		r.Timeout = time.Duration(min(n, maxTimeout)) * time.Second
	case name == "attempts" && number:
		r.Attempts = min(n, maxAttempts)
	case name == "rotate":
		r.Rotate = true
	}
}
