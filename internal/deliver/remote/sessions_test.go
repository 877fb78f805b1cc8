package remote

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// keeping is a config whose sessions stay open until the end of the test.
func (w *world) keeping(s *Sessions) Config {
	if s.Idle == 0 {
		s.Idle = time.Hour
	}
	if s.Messages == 0 {
		s.Messages = 100
	}
	c := w.config()
	c.Sessions = s
	return c
}

func deliver(c Config, host, sender, recipient string) string {
	reports := c.Deliver(context.Background(), Delivery{host, sender, []string{recipient}, strings.NewReader("x\n")})
	return strings.ReplaceAll(string(reports), "\x00", "|")
}

// modern makes a peer that says ESMTP, and takes commands one by one.
func modern(replies ...string) *peer {
	return says(append([]string{"", "220 hi ESMTP", "EHLO", "250 hello"}, replies...)...)
}

// gone makes one that is gone after a message.
func gone() *peer {
	p := modern()
	p.messages = 1
	return p
}

func TestSessionsAreUsedAgain(t *testing.T) {
	const begin, quit = "EHLO me.test\r\n", "QUIT\r\n"
	mail := func(s, r string) string {
		return "MAIL FROM:<" + s + "@x.test>\r\nRCPT TO:<" + r + "@y.test>\r\nDATA\r\nx\r\n.\r\n"
	}
	one, two := mail("a", "b"), mail("c", "d")
	refused := "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n"
	for _, c := range []struct {
		name     string
		peer     *peer
		sessions *Sessions
		first    string // report, if not accepted
		want     []string
	}{
		{"again", modern(), &Sessions{}, "", []string{begin + one + two + quit}},
		{"only one message each", modern(), &Sessions{Messages: 1}, "", []string{begin + one + quit, begin + two + quit}},
		{"none are kept", modern(), nil, "", []string{begin + one + quit, begin + two + quit}},
		{"no ESMTP", says(), &Sessions{}, "", []string{"HELO me.test\r\n" + one + quit, "HELO me.test\r\n" + two + quit}},
		{"251 is usual", modern("RCPT", "251 will forward"), &Sessions{}, "", []string{begin + one + two + quit}},
		{"MAIL 299", modern("MAIL", "299 hm"), &Sessions{}, "", []string{begin + one + quit, begin + two + quit}},
		{"RCPT 354", modern("RCPT", "354 hm"), &Sessions{}, "", []string{begin + one + quit, begin + two + quit}},
		{"DATA 250", modern("DATA", "250 hm"), &Sessions{}, "", []string{begin + one + quit, begin + two + quit}},
		{"text 200", modern("text", "200 hm"), &Sessions{}, "r|K192.0.2.1 accepted message.\nRemote host said: 200 hm\n|", []string{begin + one + quit, begin + two + quit}},
		{"a refused message", modern("text", "554 no"), &Sessions{}, "r|D192.0.2.1 failed after I sent the message.\n" + said("554 no"), []string{begin + one + quit, begin + two + quit}},
		{"a refused recipient", modern("RCPT TO:<b@y.test>", "550 no"), &Sessions{}, dislikes("h", "550 no") + "DGiving up on 192.0.2.1.\n|", []string{begin + refused + quit, begin + two + quit}},
		{"it is gone meanwhile", gone(), &Sessions{}, "", []string{begin + one, begin + two}},
		{"it wants no more", modern("MAIL FROM:<c@x.test>", "421 enough"), &Sessions{}, "", []string{begin + one + "MAIL FROM:<c@x.test>\r\n" + quit, begin + "MAIL FROM:<c@x.test>\r\n" + quit}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.host(at, c.peer)
			config := w.config()
			if c.sessions != nil {
				config = w.keeping(c.sessions)
			}
			if c.first == "" {
				c.first = "r|" + ok
			}
			if got := deliver(config, at, "a@x.test", "b@y.test"); got != c.first {
				t.Errorf("first: %q, want %q", got, c.first)
			}
			deliver(config, at, "c@x.test", "d@y.test")
			if c.sessions != nil {
				c.sessions.Close()
			}
			w.over.Wait()
			var got []string
			for _, x := range c.peer.conversations {
				got = append(got, x.String())
			}
			if strings.Join(got, "+") != strings.Join(c.want, "+") {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestSessionsEndWhenIdle(t *testing.T) {
	w := newWorld(t, nil)
	p := w.host(at, modern())
	s := &Sessions{Idle: time.Millisecond}
	deliver(w.keeping(s), at, "a@x.test", "b@y.test")
	w.over.Wait()
	if got := p.conversations[0].String(); !strings.HasSuffix(got, "\r\n.\r\nQUIT\r\n") {
		t.Errorf("%q", got)
	}
}

func TestOtherHostsAndNamesHaveOtherSessions(t *testing.T) {
	w := newWorld(t, nil)
	one, two := w.host(at, modern()), w.host("192.0.2.2", modern())
	s := &Sessions{}
	config := w.keeping(s)
	deliver(config, at, "a@x.test", "b@y.test")
	deliver(config, "192.0.2.2", "a@x.test", "b@y.test")
	w.write("control/helohost", "other.test\n")
	deliver(config, at, "a@x.test", "b@y.test")
	s.Close()
	w.over.Wait()
	if len(one.conversations) != 2 || len(two.conversations) != 1 || !strings.HasPrefix(one.conversations[1].String(), "EHLO other.test\r\n") {
		t.Errorf("%d, %d connections", len(one.conversations), len(two.conversations))
	}
	if len(s.hosts) != 0 {
		t.Errorf("left over: %v", s.hosts)
	}
}

func TestConcurrencyOfAHost(t *testing.T) {
	for _, limit := range []int{0, 1, 3} {
		w := newWorld(t, map[string]string{"concurrencyhost": fmt.Sprint(limit, "\n")})
		p := w.host(at, modern())
		s := &Sessions{Messages: 2}
		config := w.keeping(s)
		var open, most atomic.Int32
		config.Connect = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			n := open.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			conn, err := w.connect(ctx, to)
			return counted{conn, &open}, err
		}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if got := deliver(config, at, "a@x.test", "b@y.test"); got != "r|"+ok {
					t.Errorf("limit %d: %q", limit, got)
				}
			})
		}
		all.Wait()
		s.Close()
		w.over.Wait()
		if n := int(most.Load()); limit > 0 && n > limit || len(p.conversations) < 10 {
			t.Errorf("limit %d: %d at once, %d in all", limit, n, len(p.conversations))
		}
	}
}

// counted is a connection that is counted.
type counted struct {
	net.Conn
	open *atomic.Int32
}

func (c counted) Close() error { c.open.Add(-1); return c.Conn.Close() }

func TestWaitingForAConnectionHasAnEnd(t *testing.T) {
	w := newWorld(t, map[string]string{"concurrencyhost": "1\n", "timeoutconnect": "0\n"})
	s := &Sessions{}
	config := w.keeping(s)
	to := endpoint{netip.MustParseAddrPort(at + ":25"), "me.test"}
	if _, turn := s.take(t.Context(), to, 1); !turn {
		t.Fatal("not even the first")
	}
	if got := deliver(config, at, "a@x.test", "b@y.test"); got != noConnection+"|" {
		t.Errorf("%q", got)
	}
	s.leave(to)
	if len(s.hosts) != 0 {
		t.Errorf("left over: %+v", s.hosts[to])
	}
}

func TestAConnectionThatIsClosedLetsTheNextOneIn(t *testing.T) {
	s := &Sessions{}
	to := endpoint{netip.MustParseAddrPort(at + ":25"), "me.test"}
	s.take(t.Context(), to, 1)
	next := make(chan bool)
	go func() {
		free, turn := s.take(context.Background(), to, 1)
		next <- turn && free == nil
	}()
	for waits := false; !waits; {
		s.mu.Lock()
		waits = len(s.hosts[to].waiting) > 0
		s.mu.Unlock()
	}
	s.leave(to)
	if !<-next {
		t.Error("not its turn")
	}
}

// TestPanicGivesBackTheConnection: a bug in one delivery must not use up a connection.
func TestPanicGivesBackTheConnection(t *testing.T) {
	w := newWorld(t, map[string]string{"concurrencyhost": "1\n"})
	p := w.host(at, modern())
	s := &Sessions{}
	config := w.keeping(s)
	func() {
		defer func() { recover() }()
		config.Deliver(t.Context(), Delivery{at, "a@x.test", []string{"b@y.test"}, panics{}})
	}()
	if len(s.hosts) != 0 {
		t.Errorf("left over: %v", s.hosts)
	}
	w.over.Wait()
	if got := p.conversations[0].String(); strings.Contains(got, "\r\n.\r\n") {
		t.Errorf("%q", got)
	}
}

type panics struct{}

func (panics) Read([]byte) (int, error) { panic("bug") }
