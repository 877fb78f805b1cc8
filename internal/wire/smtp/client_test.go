package smtp

import (
	"bufio"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// talk runs a client against a server that says its replies one after another: the
// first at once, each other when a line has come, and one when a text has. It returns
// what the server got.
func talk(t *testing.T, replies []string, client func(c *Client)) string {
	t.Helper()
	ours, theirs := net.Pipe()
	got := make(chan string)
	go func() {
		r := bufio.NewReader(theirs)
		var all strings.Builder
		line := ""
		for _, reply := range replies {
			io.WriteString(theirs, reply)
			if strings.HasPrefix(line, "DATA") && strings.HasPrefix(reply, "3") {
				for line = ""; line != ".\r\n"; {
					line, _ = r.ReadString('\n')
					all.WriteString(line)
				}
				continue
			}
			line, _ = r.ReadString('\n')
			all.WriteString(line)
		}
		theirs.Close()
		got <- all.String()
	}()
	client(NewClient(ours, time.Minute))
	return <-got
}

// ask gives a command and waits for the reply.
func ask(c *Client, give func() error) (Reply, error) {
	if err := give(); err != nil {
		return Reply{}, err
	}
	return c.Reply()
}

func TestClient(t *testing.T) {
	replies := []string{"220 hi\r\n", "250-a\r\n250 b\r\n", "250 c\r\n", "550 d\r\n", "251 e\r\n", "354 f\r\n", "250 g\r\n"}
	got := talk(t, replies, func(c *Client) {
		for i, step := range []func() (Reply, error){
			c.Greeting,
			func() (Reply, error) { return c.Hello("me.test", false) },
			func() (Reply, error) { return ask(c, func() error { return c.Mail("") }) },
			func() (Reply, error) { return ask(c, func() error { return c.Recipient(`"a b"@x.test`) }) },
			func() (Reply, error) { return ask(c, func() error { return c.Recipient("c@x.test") }) },
			func() (Reply, error) { return ask(c, c.Data) },
			func() (Reply, error) { return c.Text(strings.NewReader(".\npartial")) },
		} {
			reply, err := step()
			if want := strings.ReplaceAll(replies[i], "\r", ""); reply.Text != want || err != nil {
				t.Errorf("step %d: %+v, %v", i, reply, err)
			}
		}
		c.Quit()
	})
	want := "HELO me.test\r\nMAIL FROM:<>\r\nRCPT TO:<\"a b\"@x.test>\r\nRCPT TO:<c@x.test>\r\nDATA\r\n..\r\npartial\r\n.\r\nQUIT\r\n"
	if got != want {
		t.Errorf("%q", got)
	}
}

func TestHello(t *testing.T) {
	for _, c := range []struct {
		name       string
		today      bool
		replies    []string
		sent       string
		code       int
		pipelining bool
	}{
		{"of old", false, []string{"250-x\r\n250 PIPELINING\r\n"}, "HELO me.test\r\n", 250, false},
		{"of today", true, []string{"250-x\r\n250-SIZE 1000\r\n250 pipelining\r\n"}, "EHLO me.test\r\n", 250, true},
		{"without pipelining", true, []string{"250-PIPELINING.x\r\n250 X-PIPELINING\r\n"}, "EHLO me.test\r\n", 250, false},
		{"EHLO is not known", true, []string{"502 what\r\n", "250 x\r\n"}, "EHLO me.test\r\nHELO me.test\r\n", 250, false},
		{"nothing is liked", true, []string{"550 no\r\n", "550 no\r\n"}, "EHLO me.test\r\nHELO me.test\r\n", 550, false},
		{"not now", true, []string{"421 no\r\n"}, "EHLO me.test\r\n", 421, false},
	} {
		got := talk(t, append([]string{"220 hi\r\n"}, c.replies...), func(client *Client) {
			client.Greeting()
			reply, err := client.Hello("me.test", c.today)
			if reply.Code != c.code || err != nil || client.Pipelining() != c.pipelining {
				t.Errorf("%s: %+v, %v, %v", c.name, reply, err, client.Pipelining())
			}
			client.Close()
		})
		if got != c.sent {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

func TestCommandsAtOnce(t *testing.T) {
	w := &writes{}
	c := NewClient(w, time.Second)
	c.Greeting()
	c.Mail("a")
	c.Recipient("b")
	c.Data()
	if w.n != 0 {
		t.Error("sent too early")
	}
	for range 3 {
		c.Reply()
	}
	if w.n != 1 {
		t.Errorf("%d writes", w.n)
	}
}

func TestSkip(t *testing.T) {
	for _, c := range []struct{ replies, sent string }{
		{"550 a\r\n550 b\r\n503 c\r\n", "MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\nQUIT\r\n"},
		{"550 a\r\n550 b\r\n354 c\r\n", "MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n"},
		{"550 a\r\n550 b\r\n", "MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n"},
	} {
		w := &wire{in: strings.NewReader("220 hi\r\n" + c.replies)}
		client := NewClient(w, time.Second)
		client.Greeting()
		client.Mail("a")
		client.Recipient("b")
		client.Data()
		client.Reply()
		client.Skip()
		client.Quit()
		if w.out.String() != c.sent || !w.closed {
			t.Errorf("%q: %q", c.replies, w.out.String())
		}
	}
}

// A wire is a connection whose other end has said everything beforehand.
type wire struct {
	net.Conn
	in     io.Reader
	out    strings.Builder
	closed bool
}

func (w *wire) Read(p []byte) (int, error)     { return w.in.Read(p) }
func (w *wire) Write(p []byte) (int, error)    { return w.out.Write(p) }
func (w *wire) Close() error                   { w.closed = true; return nil }
func (*wire) SetReadDeadline(time.Time) error  { return nil }
func (*wire) SetWriteDeadline(time.Time) error { return nil }

func TestCommandsInAddresses(t *testing.T) {
	w := &wire{in: strings.NewReader("220 hi\r\n")}
	c := NewClient(w, time.Second)
	c.Greeting()
	for _, address := range []string{"a\r\nRSET", "a\nb", "a\rb", "a\x00b"} {
		if err := c.Mail(address); err != ErrLineBreak {
			t.Errorf("MAIL %q: %v", address, err)
		}
		if err := c.Recipient(address); err != ErrLineBreak {
			t.Errorf("RCPT %q: %v", address, err)
		}
		if _, err := c.Hello(address, false); err != ErrLineBreak {
			t.Errorf("HELO %q: %v", address, err)
		}
	}
	c.Quit()
	if w.out.String() != "QUIT\r\n" {
		t.Errorf("%q", w.out.String())
	}
}

func TestQuiet(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, c := range []struct {
		then  string // what the server says behind its greeting, or CLOSE
		quiet bool
	}{{"", true}, {"421 timeout\r\n", false}, {"CLOSE", false}} {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		client := NewClient(conn, time.Minute)
		io.WriteString(server, "220 hi\r\n")
		client.Greeting()
		if c.then == "CLOSE" {
			server.Close()
		} else {
			io.WriteString(server, c.then)
		}
		if c.then != "" {
			raw, _ := conn.(*net.TCPConn).SyscallConn()
			raw.Read(func(fd uintptr) bool { // until it has arrived
				_, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
				return err != unix.EAGAIN
			})
		}
		if client.Quiet() != c.quiet {
			t.Errorf("after %q: %v", c.then, !c.quiet)
		}
		client.Close()
		server.Close()
	}
}

// writes counts writes, and takes any number of bytes.
type writes struct {
	net.Conn
	n, bytes int
	fail     int // the number of the write that fails
}

func (w *writes) Write(b []byte) (int, error) {
	if w.n++; w.n == w.fail {
		return 0, io.ErrClosedPipe
	}
	w.bytes += len(b)
	return len(b), nil
}

func (w *writes) Read(b []byte) (int, error)     { return copy(b, "250 ok\r\n"), nil }
func (*writes) SetReadDeadline(time.Time) error  { return nil }
func (*writes) SetWriteDeadline(time.Time) error { return nil }

func TestSmallMessageIsOneWrite(t *testing.T) {
	w := &writes{}
	if _, err := NewClient(w, time.Second).Text(strings.NewReader(strings.Repeat("line\n", 1000))); err != nil || w.n != 1 || w.bytes != 6003 {
		t.Errorf("%d writes, %d bytes, %v", w.n, w.bytes, err)
	}
}

func TestLongLineInLittleMemory(t *testing.T) {
	const size = 100 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w := &writes{}
	_, err := NewClient(w, time.Second).Text(io.LimitReader(zeros{}, size))
	runtime.ReadMemStats(&after)
	if w.bytes != size+5 || err != nil {
		t.Errorf("%d bytes, %v", w.bytes, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("%d bytes allocated", used)
	}
}

func TestTextThatFails(t *testing.T) {
	broken := errors.New("broken")
	big := func() io.Reader { return io.LimitReader(zeros{}, 10*writeSize) }
	for _, c := range []struct {
		name    string
		message io.Reader
		fail    int
		want    error
	}{
		{"the message cannot be read", io.MultiReader(big(), errReader{broken}), 0, ErrMessage},
		{"the connection dies early", big(), 1, io.ErrClosedPipe},
		{"the connection dies with the last piece", strings.NewReader("x\n"), 1, ErrUncertain},
	} {
		w := &writes{fail: c.fail}
		_, err := NewClient(w, time.Second).Text(c.message)
		if !errors.Is(err, c.want) || c.want != ErrUncertain && errors.Is(err, ErrUncertain) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	talk(t, []string{"220 hi\r\n", "354 go\r\n"}, func(c *Client) {
		c.Greeting()
		ask(c, c.Data)
		if _, err := c.Text(strings.NewReader("x\n")); !errors.Is(err, ErrUncertain) {
			t.Errorf("no answer to the text: %v", err)
		}
	})
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

// A drip sends a reply in many small pieces.
type drip struct {
	net.Conn
	pieces    []string
	deadlines int
}

func (d *drip) Read(b []byte) (int, error) {
	n := copy(b, d.pieces[0])
	d.pieces = d.pieces[1:]
	return n, nil
}

func (d *drip) SetReadDeadline(time.Time) error { d.deadlines++; return nil }

func TestAllOfAReplyHasToComeInTime(t *testing.T) {
	d := &drip{pieces: strings.SplitAfter("220-still\r\n220-still\r\n220 here\r\n", "")}
	if reply, err := NewClient(d, time.Second).Greeting(); reply.Code != 220 || err != nil || d.deadlines != 1 {
		t.Errorf("%+v, %v, the time was set %d times", reply, err, d.deadlines)
	}
}
