package listen

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"goqmail/internal/accept/connection"
	"goqmail/internal/host/control"
	"goqmail/internal/host/socket"
	"goqmail/internal/wire/dialog"
	"goqmail/internal/wire/dns"
)

// A talk is a protocol of our own, which does to the server what bugs would.
type talk struct{ closed *int }

var errFinished = errors.New("finished")

func (k talk) Serve(c connection.Client) error {
	d := dialog.New(c.In, c.Out)
	defer d.Release()
	d.Out.WriteString("hello\n")
	for {
		if err := d.Await(true); err != nil {
			return err
		}
		line, err := d.In.ReadString('\n')
		if err != nil {
			return err
		}
		switch line {
		case "panic\n":
			d.Out.WriteString("accepted\n") // not sent yet
			panic("a bug\nin two lines")
		case "nil\n":
			var p *connection.Client
			p.Warn("")
		case "hang\n":
			select {}
		case "warn\n":
			c.Warn("warning: as asked")
		case "finish\n":
			return errFinished
		case "env\n":
			d.Out.WriteString(strings.Join(c.Env, " ") + "\n")
		default:
			d.Out.WriteString("<" + line)
		}
	}
}

func (k talk) Close() error { *k.closed++; return nil }

// A house is a server on 127.0.0.1.
type house struct {
	t      *testing.T
	dir    string
	at     string
	signal chan os.Signal
	done   chan error
	closed int

	mu  sync.Mutex
	log strings.Builder
}

func open(t *testing.T, options Options, names resolver) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), signal: make(chan os.Signal, 4), done: make(chan error, 1)}
	os.Mkdir(filepath.Join(h.dir, "control"), 0o755)
	h.control("me", "mx.test\n")
	sockets, err := socket.Listen([]netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	h.at = sockets[0].Addr().String()
	options.Verbose = true
	if options.Most == 0 {
		options.Most = 10
	}
	s, err := newServer(Service{
		Program:  "talkd",
		Home:     h.dir,
		Controls: []string{"me"},
		Read: func(dir control.Dir) (Protocol, error) {
			_, _, err := dir.Line("me")
			return talk{&h.closed}, err
		},
		ExitCode: func(err error) int {
			if err != nil {
				return 1
			}
			return 0
		},
		Refusal: func(text string) string { return "no: " + text + "\n" },
	}, options, sockets, []string{"A=1"})
	if err != nil {
		t.Fatal(err)
	}
	s.resolver = names
	s.log = func(lines string) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.log.WriteString(lines)
	}
	go func() { h.done <- s.Run(h.signal) }()
	t.Cleanup(func() {
		h.signal <- syscall.SIGTERM
		h.signal <- syscall.SIGTERM
	})
	return h
}

func (h *house) control(name, text string) {
	if err := os.WriteFile(filepath.Join(h.dir, "control", name), []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

// logged waits for a line.
func (h *house) logged(pattern string) []string {
	h.t.Helper()
	re := regexp.MustCompile("(?m)^" + pattern + "$")
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		h.mu.Lock()
		log := h.log.String()
		h.mu.Unlock()
		if m := re.FindStringSubmatch(log); m != nil {
			return m
		}
		if time.Now().After(end) {
			h.t.Fatalf("no line %q in\n%s", pattern, log)
		}
	}
}

type guest struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func (h *house) guest() *guest {
	h.t.Helper()
	c, err := net.Dial("tcp", h.at)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second))
	return &guest{h.t, c, bufio.NewReader(c)}
}

func (g *guest) say(text string) { io.WriteString(g, text) }

func (g *guest) want(lines ...string) {
	g.t.Helper()
	for _, want := range lines {
		got, err := g.r.ReadString('\n')
		if got != want {
			g.t.Errorf("%q, %v instead of %q", got, err, want)
		}
	}
}

// TestPanic: a bug in one conversation ends that one. The client is told that there
// was an error and nothing else, and the others go on.
func TestPanic(t *testing.T) {
	h := open(t, Options{PerAddress: 3}, nil)
	other := h.guest()
	other.want("hello\n")
	for _, c := range []struct{ bug, log, end string }{
		{"panic\n", `error: connection 2: panic: a bug\?in two lines`, `end 2 status 28416: panic: a bug\?in two lines`},
		{"nil\n", `error: connection 3: panic: runtime error: invalid memory .*`, `end 3 status 28416: panic: runtime error: .*`},
		{"panic\n", `trace: goroutine \d+ \[running\]:`, `end 4 .*`},
		{"panic\n", `error: connection 5: .*`, `end 5 .*`},
	} {
		g := h.guest()
		g.want("hello\n")
		g.say(c.bug)
		g.want("no: internal error (#4.3.0)\n", "")
		g.Close()
		h.logged(c.log)
		h.logged(c.end)
	}
	other.say("one\n")
	other.want("<one\n")
}

// TestHang: a conversation that hangs holds up no other, nor the end.
func TestHang(t *testing.T) {
	h := open(t, Options{Grace: 0}, nil)
	g := h.guest()
	g.want("hello\n")
	g.say("hang\n")
	for range 3 {
		other := h.guest()
		other.want("hello\n")
		other.say("one\n")
		other.want("<one\n")
	}
	h.signal <- syscall.SIGTERM
	if err := <-h.done; err != nil {
		t.Error(err)
	}
}

func TestHowItEnds(t *testing.T) {
	h := open(t, Options{}, nil)
	g := h.guest()
	g.say("warn\nfinish\nand more that nobody reads\n")
	g.want("hello\n", "")
	h.logged(`connection 1: warning: as asked`)
	g.Close()
	h.logged(`end 1 status 256: finished`)
	g = h.guest()
	g.say("env\n")
	g.want("hello\n")
	env, _ := g.r.ReadString('\n')
	if !regexp.MustCompile(`^A=1 PROTO=TCP TCPREMOTEIP=127\.0\.0\.1 TCPREMOTEPORT=\d+ TCPLOCALIP=127\.0\.0\.1 TCPLOCALPORT=\d+ TCPLOCALHOST=mx\.test\n$`).MatchString(env) {
		t.Errorf("%q", env)
	}
	g.Close()
	h.logged(`end 2 status 256: EOF`)
	h.signal <- syscall.SIGTERM
	if err := <-h.done; err != nil {
		t.Error(err)
	}
	h.logged("stopped")
}

// TestControlsAreClosed: what was read is closed when the last connection that
// needs it has ended, and not before.
func TestControlsAreClosed(t *testing.T) {
	opened, closed, stamp := 0, 0, "a"
	var failed error
	c := &controls{
		read:  func() (version, error) { opened++; return version{Protocol: talk{&closed}}, failed },
		stamp: func() string { return stamp },
	}
	get := func() *version {
		v, err := c.get()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	check := func(o, cl int) {
		t.Helper()
		if opened != o || closed != cl {
			t.Errorf("opened %d and closed %d, want %d and %d", opened, closed, o, cl)
		}
	}
	one, two := get(), get()
	c.done(one)
	check(1, 0)
	stamp = "b"
	three := get()
	check(2, 0)
	c.done(two)
	check(2, 1)
	c.again()
	four := get()
	check(3, 1)
	c.done(three)
	check(3, 2)
	stamp, failed = "c", errors.New("unreadable")
	if _, err := c.get(); !errors.Is(err, failed) {
		t.Error(err)
	}
	check(4, 2)
	c.done(four)
	check(4, 3)
	failed = nil // the same stamp: a failed attempt is repeated
	c.done(get())
	check(5, 3)
}

// names is a domain name system.
type names map[string]string

func (n names) Names(_ context.Context, a netip.Addr) ([]string, error) {
	if name, ok := n[a.String()]; ok {
		return []string{name}, nil
	}
	return nil, errors.New("no name")
}

func (n names) Addresses(_ context.Context, name dns.Name) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(n[strings.TrimSuffix(string(name), ".")]); err == nil {
		return []netip.Addr{netip.MustParseAddr("192.0.2.99"), a}, nil
	}
	return nil, errors.New("no address")
}

func TestNames(t *testing.T) {
	known := names{"127.0.0.1": "A.test", "a.test": "127.0.0.1", "192.0.2.1": "claimed.test", "claimed.test": "192.0.2.2",
		"192.0.2.3": "lost.test", "192.0.2.4": strings.Repeat("x", 100), "192.0.2.5": "..."}
	for _, c := range []struct {
		ip              string
		plain, paranoid string
	}{
		{"127.0.0.1", "a.test", "a.test"},
		{"192.0.2.1", "claimed.test", ""},
		{"192.0.2.3", "lost.test", ""},
		{"192.0.2.4", strings.Repeat("x", 100), ""},
		{"192.0.2.5", "...", ""},
		{"192.0.2.6", "", ""},
	} {
		a := netip.MustParseAddr(c.ip)
		if got := nameOf(known, a, false); got != c.plain {
			t.Errorf("%s: %q", a, got)
		}
		if got := nameOf(known, a, true); got != c.paranoid {
			t.Errorf("%s, paranoid: %q", a, got)
		}
	}
	h := open(t, Options{Names: true, Paranoid: true}, known)
	g := h.guest()
	g.say("env\n")
	g.want("hello\n")
	if env, _ := g.r.ReadString('\n'); !strings.HasSuffix(env, " TCPREMOTEHOST=a.test\n") {
		t.Errorf("%q", env)
	}
	h.logged(`ok 1 mx\.test:127\.0\.0\.1:\d+ a\.test:127\.0\.0\.1::\d+`)
}

func TestCounts(t *testing.T) {
	c := newCounts()
	in := func(ip, want string) {
		t.Helper()
		if got := c.enter(netip.MustParseAddr(ip), 2, 3); got != want {
			t.Errorf("%s: %q", ip, got)
		}
	}
	for _, net := range []struct{ a, b, other string }{
		{"192.0.2.1", "192.0.2.255", "192.0.3.1"},
		{"2001:db8::1", "2001:db8::ffff:0:0:1", "2001:db8:0:1::1"},
	} {
		in(net.a, "")
		in(net.a, "")
		in(net.a, tooManyOfAddress)
		in(net.b, "")
		in(net.b, tooManyOfNetwork)
		in(net.other, "")
		c.leave(netip.MustParseAddr(net.a))
		in(net.b, "")
		c.leave(netip.MustParseAddr(net.b))
		c.leave(netip.MustParseAddr(net.b))
		in(net.a, "")
		c.leave(netip.MustParseAddr(net.a))
		c.leave(netip.MustParseAddr(net.a))
		c.leave(netip.MustParseAddr(net.other))
	}
	if len(c.of) != 0 || len(c.networks) != 0 {
		t.Errorf("left: %v, %v", c.of, c.networks)
	}
	for range 100 {
		if got := c.enter(netip.MustParseAddr("192.0.2.1"), 0, 0); got != "" {
			t.Error(got)
		}
	}
}

func TestOptions(t *testing.T) {
	o, err := ParseOptions("p", strings.Fields("-vRHl0 -c 7 -xfile -X -a [::1]:25 -a:26 -a::ffff:127.0.0.1:1 -i0 -n9 -t3 -w 99999999999999999 -y 192.0.2.77/24 -y ::1 -r -P"))
	if err == nil {
		t.Error("an address without its brackets is taken")
	}
	o, err = ParseOptions("p", strings.Fields("-vRHl0 -c 7 -xfile -X -a [::1]:25 -a:26 -a[::ffff:127.0.0.1]:1 -i0 -n9 -t3 -w 99999999999999999 -y 192.0.2.77/24 -y ::1 -r -P"))
	if err != nil || !o.Verbose || o.Quiet || o.Names || !o.Users || o.Paranoid || o.LocalName != "0" || o.Most != 7 || o.Rules != "file" || !o.RulesOrNone ||
		o.PerAddress != 0 || o.PerNetwork != 9 || o.UserTimeout != 3*time.Second || o.Grace <= 0 {
		t.Errorf("%+v, %v", o, err)
	}
	if got := o.Addresses; len(got) != 3 || got[0].String() != "[::1]:25" || got[1].String() != "[::]:26" || got[2].String() != "127.0.0.1:1" {
		t.Error(got)
	}
	if got := o.Proxies; len(got) != 2 || got[0].String() != "192.0.2.0/24" || got[1].String() != "::1/128" {
		t.Error(got)
	}
	if o, err = ParseOptions("p", nil); err != nil || !o.Names || !o.Paranoid || o.Users || o.Most != defaultMost || o.Verbose || o.Quiet {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestLogLines(t *testing.T) {
	if got := prefixed("p", "a\nb\n"); got != "p: a\np: b\n" {
		t.Errorf("%q", got)
	}
	if got := oneLine("a\r\nb\x00c\x7f\xff"); got != "a??b?c?\xff" && got != "a??b?c?\uFFFD" {
		t.Errorf("%q", got)
	}
	if got := traceback([]byte("a\nb\n")); got != "trace: a\ntrace: b\n" {
		t.Errorf("%q", got)
	}
	if got := traceback(make([]byte, 1<<20)); len(got) > maxTraceback+100 {
		t.Errorf("%d bytes", len(got))
	}
}
