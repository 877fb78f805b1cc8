package remote

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"goqmail/internal/host/ipme"
	"goqmail/internal/wire/dns"
)

func TestHosts(t *testing.T) {
	const me = "DSorry. Although I'm listed as a best-preference MX or A for that host,\nit isn't in my control/locals file, so I don't treat it as local. (#5.4.6)\n|"
	const none = "ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n|"
	const soft = "ZSorry, I couldn't find any host by that name. (#4.1.2)\n|"
	const nomx = "DSorry, I couldn't find a mail exchanger or IP address. (#5.4.4)\n|"
	unknown := func(host string) string { return "DSorry, I couldn't find any host named " + host + ". (#5.1.2)\n|" }
	accepted := func(host string) string {
		return "r|K" + host + " accepted message.\nRemote host said: 250 got it\n|"
	}
	for _, c := range []struct {
		name   string
		host   string // y.test if empty
		names  names
		up     string // who answers
		tried  string
		report string
	}{
		{"exchanger", "", names{"y.test": {mx(10, "a.test"), ip("192.0.2.9")}, "a.test": {ip("192.0.2.1")}}, "192.0.2.1", "192.0.2.1:25", accepted("192.0.2.1")},
		{"address only", "", names{"y.test": {ip("192.0.2.1")}}, "192.0.2.1", "192.0.2.1:25", accepted("192.0.2.1")},
		{"IPv6", "", names{"y.test": {ip("192.0.2.1"), ip("2001:db8::1")}}, "2001:db8::1", "192.0.2.1:25 [2001:db8::1]:25", accepted("2001:db8::1")},
		{"one after the other", "", names{"y.test": {mx(1, "a.test"), mx(2, "b.test"), mx(3, "c.test")}, "a.test": {ip("192.0.2.1"), ip("192.0.2.2")}, "b.test": {ip("192.0.2.3")}, "c.test": {ip("192.0.2.4")}}, "192.0.2.3 192.0.2.4", "192.0.2.1:25 192.0.2.2:25 192.0.2.3:25", accepted("192.0.2.3")},
		{"nobody is up", "", names{"y.test": {mx(1, "a.test"), mx(2, "b.test")}, "a.test": {ip("192.0.2.1")}, "b.test": {ip("192.0.2.2")}}, "", "192.0.2.1:25 192.0.2.2:25", none},
		{"exchanger without an address", "", names{"y.test": {mx(1, "a.test"), mx(2, "b.test")}, "b.test": {ip("192.0.2.2")}}, "192.0.2.2", "192.0.2.2:25", accepted("192.0.2.2")},
		{"no exchanger has an address", "", names{"y.test": {mx(1, "a.test"), mx(2, "b.test")}}, "", "", nomx},
		{"exchanger that fails", "", names{"y.test": {mx(1, "a.test"), mx(2, "b.test")}, "a.test": {errTemporary}}, "", "", soft},
		{"exchanger that fails, and another", "", names{"y.test": {mx(1, "a.test"), mx(2, "b.test")}, "a.test": {errTemporary}, "b.test": {ip("192.0.2.2")}}, "192.0.2.2", "192.0.2.2:25", accepted("192.0.2.2")},
		{"no such host", "", names{}, "", "", unknown("y.test")},
		{"odd host", "a \xff\x00b", names{}, "", "", unknown("a???b")},
		{"host that is no name", "a..b", names{}, "", "", unknown("a..b")},
		{"null MX", "", names{"y.test": {dns.ErrNoMail}}, "", "", "DSorry, y.test says that it does not accept mail. (#5.1.10)\n|"},
		{"DNS failure", "", names{"y.test": {errTemporary}}, "", "", soft},
		{"literal", "[192.0.2.1]", names{}, "192.0.2.1", "192.0.2.1:25", accepted("192.0.2.1")},
		{"address", "192.0.2.1", names{}, "192.0.2.1", "192.0.2.1:25", accepted("192.0.2.1")},
		{"IPv6 literal", "[IPv6:2001:db8::1]", names{}, "2001:db8::1", "[2001:db8::1]:25", accepted("2001:db8::1")},
		{"IPv4 in IPv6", "[IPv6:::ffff:192.0.2.1]", names{}, "192.0.2.1", "192.0.2.1:25", accepted("192.0.2.1")},
		{"half a literal", "[192.0.2.1", names{}, "192.0.2.1", "", unknown("[192.0.2.1")},
		{"this host's literal", "[192.0.2.99]", names{}, "192.0.2.99", "", me},
		{"this host's IPv6 literal", "[IPv6:2001:db8::99]", names{}, "", "", me},
		{"this host", "", names{"y.test": {ip("192.0.2.99")}}, "192.0.2.99", "", me},
		{"this host is best", "", names{"y.test": {mx(1, "me.test"), mx(2, "b.test")}, "me.test": {ip("192.0.2.99")}, "b.test": {ip("192.0.2.2")}}, "192.0.2.2", "", me},
		{"this host among the best", "", names{"y.test": {mx(1, "me.test"), mx(1, "b.test")}, "me.test": {ip("192.0.2.99")}, "b.test": {ip("192.0.2.2")}}, "192.0.2.2", "", me},
		{"this host by IPv6", "", names{"y.test": {mx(1, "b.test"), mx(2, "me.test"), mx(3, "c.test")}, "me.test": {ip("2001:db8::99")}, "b.test": {ip("192.0.2.2")}, "c.test": {ip("192.0.2.3")}}, "192.0.2.3", "192.0.2.2:25", none},
		{"this host, and better ones without an address", "", names{"y.test": {mx(1, "b.test"), mx(2, "me.test")}, "me.test": {ip("192.0.2.99")}}, "", "", me},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.names = c.names
			for _, address := range strings.Fields(c.up) {
				w.host(address, says())
			}
			if c.host == "" {
				c.host = "y.test"
			}
			if got := w.deliver(c.host, "s@x.test", "r@y.test"); got != c.report {
				t.Errorf("%q, want %q", got, c.report)
			}
			if got := strings.Join(w.tried, " "); got != c.tried {
				t.Errorf("tried %q, want %q", got, c.tried)
			}
		})
	}
}

func TestHostsThatDoNotWantToTalk(t *testing.T) {
	zone := names{"y.test": {mx(1, "a.test"), mx(2, "b.test"), mx(3, "c.test")}, "a.test": {ip("192.0.2.1")}, "b.test": {ip("192.0.2.2")}, "c.test": {ip("192.0.2.3")}}
	for _, c := range []struct {
		name          string
		first, second *peer
		report        string
	}{
		{"refused greeting", says("", "421 busy"), says(), "r|K192.0.2.2 accepted"},
		{"refused for good", says("", "554 never"), says(), "r|K192.0.2.2 accepted"},
		{"no greeting", says("", "CLOSE"), says(), "r|K192.0.2.2 accepted"},
		{"refused hello", says("HELO", "421 busy"), says(), "r|K192.0.2.2 accepted"},
		{"all of them: the first one's word is reported", says("", "421 busy"), says("", "554 never"), "ZConnected to 192.0.2.1 but greeting failed.\nRemote host said: 421 busy"},
		{"the others cannot be reached", says("HELO", "421 busy"), nil, "ZConnected to 192.0.2.1 but my name was rejected."},
		{"the first cannot be reached", nil, says("", "421 busy"), "ZConnected to 192.0.2.2 but greeting failed."},
		{"a refused sender is final", says("MAIL", "421 busy"), says(), "ZConnected to 192.0.2.1 but sender was rejected."},
		{"a connection that dies later is final", says("MAIL", "CLOSE"), says(), "ZConnected to 192.0.2.1 but connection died."},
	} {
		w := newWorld(t, nil)
		w.names = zone
		if c.first != nil {
			w.host("192.0.2.1", c.first)
		}
		if c.second != nil {
			w.host("192.0.2.2", c.second)
		}
		if got := w.deliver("y.test", "s@x.test", "r@y.test"); !strings.HasPrefix(got, c.report) {
			t.Errorf("%s: %q, want %q", c.name, got, c.report)
		}
	}
}

func TestTriesAreBounded(t *testing.T) {
	w := newWorld(t, nil)
	w.names["y.test"] = nil
	for i := range 50 {
		host := fmt.Sprintf("a%d.test", i)
		w.names["y.test"] = append(w.names["y.test"], mx(uint16(i), host))
		for j := range 10 {
			w.names[host] = append(w.names[host], ip(fmt.Sprintf("198.51.100.%d", j)))
		}
	}
	w.deliver("y.test", "s@x.test", "r@y.test")
	if len(w.tried) != maxTries {
		t.Errorf("%d tries", len(w.tried))
	}
}

func TestTimeouts(t *testing.T) {
	w := newWorld(t, nil)
	w.names = names{"y.test": {mx(1, "a.test"), mx(2, "b.test")}, "a.test": {ip("192.0.2.1")}, "b.test": {ip("192.0.2.2")}}
	first := w.host("192.0.2.1", &peer{unresponsive: true})
	w.host("192.0.2.2", says())
	table := w.config().Timeouts
	address := netip.MustParseAddr("192.0.2.1")
	for i, c := range []struct {
		after    time.Duration
		tried    []string
		timeouts int
	}{
		{0, []string{"192.0.2.1:25", "192.0.2.2:25"}, 1},
		{time.Minute, []string{"192.0.2.1:25", "192.0.2.2:25"}, 1},
		{time.Minute, []string{"192.0.2.1:25", "192.0.2.2:25"}, 2},
		{time.Minute, []string{"192.0.2.2:25"}, 2},
		{time.Hour, []string{"192.0.2.2:25"}, 2},
		{time.Hour, []string{"192.0.2.1:25", "192.0.2.2:25"}, 3},
	} {
		w.now, w.tried = w.now.Add(c.after), nil
		w.deliver("y.test", "s@x.test", "r@y.test")
		if r, _ := table.Find(address); !slices.Equal(w.tried, c.tried) || r.Timeouts != c.timeouts {
			t.Errorf("%d: tried %q, %+v", i, w.tried, r)
		}
	}
	first.unresponsive = false
	w.now = w.now.Add(2 * time.Hour)
	w.deliver("y.test", "s@x.test", "r@y.test")
	if r, known := table.Find(address); r.Timeouts != 0 || !known {
		t.Errorf("after an answer: %+v", r)
	}
	os.Remove(filepath.Join(w.home, "queue/lock/tcpto"))
	if got := w.deliver("y.test", "s@x.test", "r@y.test"); !strings.HasPrefix(got, "r|K192.0.2.1 ") {
		t.Errorf("without a table: %q", got)
	}
}

func TestControlFiles(t *testing.T) {
	const noControl = "ZUnable to read control files. (#4.3.0)\n|"
	for _, c := range []struct {
		name   string
		change func(w *world)
		report string
	}{
		{"no me", func(w *world) { os.Remove(w.home + "/control/me") }, noControl},
		{"empty me", func(w *world) { w.write("control/me", "") }, noControl},
		{"CR in me", func(w *world) { w.write("control/me", "me.test\r\n") }, noControl},
		{"binary helohost", func(w *world) { w.write("control/helohost", "\x00\x01\x02") }, noControl},
		{"huge helohost", func(w *world) { w.write("control/helohost", strings.Repeat("x", 1<<20)) }, noControl},
		{"helohost without me", func(w *world) { os.Remove(w.home + "/control/me"); w.write("control/helohost", "h.test\n") }, "r|" + ok},
		{"smtproutes is a directory", func(w *world) { os.Mkdir(w.home+"/control/smtproutes", 0o755) }, noControl},
		{"smtproutes with a long line", func(w *world) { w.write("control/smtproutes", strings.Repeat("x", 1<<20)) }, noControl},
		{"timeoutremote is a directory", func(w *world) { os.Mkdir(w.home+"/control/timeoutremote", 0o755) }, noControl},
		{"timeoutconnect is a directory", func(w *world) { os.Mkdir(w.home+"/control/timeoutconnect", 0o755) }, noControl},
		{"timeouts that are no numbers", func(w *world) {
			w.write("control/timeoutconnect", "x\n")
			w.write("control/timeoutremote", "\xff\n")
		}, "r|" + ok},
		{"timeouts beyond all bounds", func(w *world) {
			w.write("control/timeoutconnect", "99999999999999999999\n")
			w.write("control/timeoutremote", "99999999999999999999\n")
		}, "r|" + ok},
		{"empty smtproutes", func(w *world) { w.write("control/smtproutes", "") }, "r|" + ok},
		{"malformed route", func(w *world) { w.write("control/smtproutes", ":relay:x\n") }, "ZUnable to make sense of a relay in control/smtproutes. (#4.3.5)\n|"},
		{"no home", func(w *world) { w.home += "/nowhere" }, "ZUnable to switch to home directory. (#4.3.0)\n|"},
	} {
		w := newWorld(t, nil)
		w.host(at, says())
		c.change(w)
		if got := w.deliver(at, "s@x.test", "r@y.test"); got != c.report {
			t.Errorf("%s: %q, want %q", c.name, got, c.report)
		}
	}
	w := newWorld(t, nil)
	config := w.config()
	config.Own = func() (ipme.Set, error) { return nil, errors.New("no memory") }
	if got := string(config.Deliver(t.Context(), Delivery{Host: at})); got != "ZSystem resources temporarily unavailable. (#4.3.0)\n\x00" {
		t.Errorf("%q", got)
	}
}

func TestRememberedSettings(t *testing.T) {
	w := newWorld(t, nil)
	p := w.host(at, says())
	config := w.config()
	config.Remembered = new(Remembered)
	for i, c := range []struct {
		change func()
		hello  string // "" if there is no conversation
	}{
		{func() {}, "HELO me.test"},
		{func() {}, "HELO me.test"},
		{func() { w.write("control/helohost", "a.test\n") }, "HELO a.test"},
		{func() { w.write("control/helohost", "") }, ""},
		{func() { os.Remove(w.home + "/control/helohost") }, "HELO me.test"},
		{func() { w.write("control/me", "you.test\n") }, "HELO you.test"},
	} {
		c.change()
		p.conversations = nil
		deliver(config, at, "a@x.test", "b@y.test")
		w.over.Wait()
		got := ""
		if len(p.conversations) > 0 {
			got, _, _ = strings.Cut(p.conversations[0].String(), "\r\n")
		}
		if got != c.hello {
			t.Errorf("%d: %q, want %q", i, got, c.hello)
		}
	}
}
