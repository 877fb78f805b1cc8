package resident

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A hostile child does what it can to harm its parent.
type hostile struct {
	child func()
	want  error // what its request comes to
}

var hostiles = map[string]hostile{
	"says nothing":              {func() { select {} }, ErrClassic},
	"is stopped at once":        {stop, ErrClassic},
	"says garbage":              {func() { raw("garbage"); stop() }, ErrClassic},
	"an empty packet":           {func() { raw(""); stop() }, ErrClassic},
	"a reply before hello":      {func() { say(record{kind: reply, number: 1}); greet(); stop() }, ErrClassic},
	"hello of another file":     {func() { say(newHello(fileVersion{1, 2, 3, 4, 5}, 9)); stop() }, ErrClassic},
	"hello of no requests":      {func() { say(newHello(own(), 0)); stop() }, ErrClassic},
	"hello with a descriptor":   {func() { rights(newHello(own(), 9), 1); stop() }, ErrClassic},
	"hello of another version":  {func() { r := newHello(own(), 9); r.fields[0] = "1"; say(r); stop() }, ErrClassic},
	"hello and nothing":         {func() { greet(); select {} }, ErrLost},
	"hello and stopped":         {func() { greet(); stop() }, ErrLost},
	"hello and end":             {func() { greet(); next() }, ErrLost},
	"hello and half an end":     {func() { greet(); next(); unix.Shutdown(Socket, unix.SHUT_WR); select {} }, ErrLost},
	"hello twice":               {func() { greet(); next(); greet(); stop() }, ErrLost},
	"garbage":                   {func() { greet(); next(); raw("5:reply,1:x,1:0,"); stop() }, ErrLost},
	"a packet that is too long": {func() { greet(); next(); raw(strings.Repeat("x", MaxRecord+1)); stop() }, ErrLost},
	"too many fields": {func() {
		greet()
		next()
		raw(fmt.Sprintf("5:reply,1:1,3:%d,", MaxFields+1) + strings.Repeat("0:,", MaxFields+1))
		stop()
	}, ErrLost},
	"an empty packet later": {func() { greet(); next(); raw(""); stop() }, ErrLost},
	"a descriptor":          {func() { greet(); rights(record{kind: reply, number: next()}, 1); stop() }, ErrLost},
	"many descriptors":      {func() { greet(); rights(record{kind: reply, number: next()}, 250); stop() }, ErrLost},
	"a reply to nothing":    {func() { greet(); say(record{kind: reply, number: next() + 1}); stop() }, ErrLost},
	"a request":             {func() { greet(); say(record{kind: request, number: next()}); stop() }, ErrLost},
	"a pong":                {func() { greet(); next(); say(record{kind: pong}); stop() }, ErrLost},
	"a flood":               {func() { greet(); flood(record{kind: reply, number: next() + 1}); stop() }, ErrLost},
	"a flood of replies":    {func() { greet(); flood(record{kind: reply, number: next()}) }, nil},
	"a flood of pongs":      {func() { greet(); next(); flood(record{kind: pong, number: 1}); stop() }, ErrLost},
	"closes and lingers":    {func() { greet(); next(); unix.Close(Socket); select {} }, ErrLost},
	"refuses":               {func() { greet(); say(record{kind: refuse, number: next()}); next() }, ErrRefused},
}

func own() fileVersion { v, _ := versionOf(executable); return v }

func greet() { say(newHello(own(), 9)) }

func say(r record) { b := r.appendTo(nil); raw(string(b)) }

func raw(packet string) error {
	unix.SetNonblock(Socket, false)
	return unix.Sendmsg(Socket, []byte(packet), nil, nil, unix.MSG_NOSIGNAL)
}

func rights(r record, n int) {
	fds := make([]int, n)
	b := r.appendTo(nil)
	unix.SetNonblock(Socket, false)
	unix.Sendmsg(Socket, b, unix.UnixRights(fds...), nil, unix.MSG_NOSIGNAL)
}

func flood(r record) {
	b := r.appendTo(nil)
	for raw(string(b)) == nil {
	}
}

func stop() {
	unix.Kill(os.Getpid(), unix.SIGSTOP)
	select {}
}

// next waits for a request and tells its number; 0 is the end.
func next() uint64 {
	unix.SetNonblock(Socket, false)
	b := make([]byte, MaxRecord)
	n, err := unix.Read(Socket, b)
	if err != nil || n == 0 {
		return 0
	}
	r, _ := only(b[:n])
	return r.number
}

// TestHostileChild: whatever a child does, its parent gets to know that its request
// is lost, is rid of it, and keeps none of its descriptors.
func TestHostileChild(t *testing.T) {
	before := openFiles(t)
	for name, h := range hostiles {
		t.Run(name, func(t *testing.T) {
			p := testPool(t, Config{Silence: 200 * time.Millisecond, Hello: 500 * time.Millisecond})
			if strings.HasPrefix(name, "closes") || strings.Contains(name, "half") {
				p.departure = 100 * time.Millisecond
			}
			_, err := p.Call("", kind(name), fields("x"))
			if h.want == nil && err != nil || !errors.Is(err, h.want) {
				t.Errorf("%v, want %v", err, h.want)
			}
		})
	}
	if after := openFiles(t); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// TestNeverReads: a child that never reads fills the socket; those who wait to send
// do not wait for ever, and are told that nothing was asked.
func TestNeverReads(t *testing.T) {
	p := testPool(t, Config{Silence: 200 * time.Millisecond})
	large := fields(strings.Repeat("x", 60_000))
	errs := make(chan error)
	for range 20 {
		go func() {
			_, err := p.Call("", kind("hello and nothing"), large)
			errs <- err
		}()
	}
	for range 20 {
		if err := <-errs; !errors.Is(err, ErrLost) && !errors.Is(err, ErrClassic) {
			t.Error(err)
		}
	}
}

// TestHostileParent: whatever a parent sends, the child ends in peace, and with no
// descriptor left.
func TestHostileParent(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	packet := func(r record) string { b := r.appendTo(nil); return string(b) }
	ask := func(n int) string {
		return packet(record{kind: request, number: 1, fields: []string{fmt.Sprint(n), "echo"}})
	}
	for _, c := range []struct {
		name   string
		packet string
		files  int
		reply  string // kind of the answer; "" means that the child ends with an error
	}{
		{"request", ask(0), 0, reply},
		{"request with descriptors", ask(8), 8, reply},
		{"ping", packet(record{kind: ping, number: 1}), 0, pong},
		{"garbage", "garbage", 0, ""},
		{"garbage with descriptors", "garbage", 8, ""},
		{"ping with a field", packet(record{kind: ping, fields: []string{""}}), 0, ""},
		{"ping with a descriptor", packet(record{kind: ping}), 1, ""},
		{"hello", packet(record{kind: hello}), 3, ""},
		{"reply", packet(record{kind: reply}), 0, ""},
		{"no count of descriptors", packet(record{kind: request}), 2, ""},
		{"fewer descriptors", ask(3), 2, ""},
		{"more descriptors", ask(3), 4, ""},
		{"too many descriptors", ask(9), 9, ""},
		{"far too many descriptors", ask(8), 200, ""},
		{"several requests", ask(1) + ask(2), 3, reply},
		{"fewer descriptors for the last of several", ask(2) + ask(2), 3, ""},
		{"more requests than it takes", strings.Repeat(ask(0), 100), 0, ""},
		{"garbage behind a request", ask(1) + "garbage", 1, ""},
		{"too long", strings.Repeat("x", MaxRecord+1), 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := openFiles(t)
			parent, theirs, err := pair()
			if err != nil {
				t.Fatal(err)
			}
			fd, _ := unix.Dup(int(theirs.Fd()))
			theirs.Close()
			unix.SetNonblock(fd, true)
			s, err := newSocket(fd)
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error)
			go func() {
				err := serve(s, own(), 2, work)
				s.close()
				ended <- err
			}()
			get := func() (r record, err error) {
				err = parent.receive(0, func(packet []byte, _ []int, _ bool) (err error) { r, _, err = cut(packet); return err })
				return r, err
			}
			if r, err := get(); err != nil || r.kind != hello {
				t.Fatalf("hello: %v, %v", r, err)
			}
			var fds []int
			for range c.files {
				fds = append(fds, int(null.Fd()))
			}
			if err := parent.sendPacket([]byte(c.packet), fds, true); err != nil {
				t.Fatal(err)
			}
			if c.reply != "" {
				if r, err := get(); err != nil || r.kind != c.reply || r.number != 1 {
					t.Errorf("%v, %v, want %s", r, err, c.reply)
				}
			} else if err := <-ended; !errors.Is(err, errProtocol) {
				t.Error(err)
			}
			parent.close()
			if c.reply != "" {
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}
			if after := openFiles(t); after > before {
				t.Errorf("%d descriptors before, %d after", before, after)
			}
		})
	}
}
