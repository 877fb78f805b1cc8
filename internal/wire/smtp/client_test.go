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

func TestClient(t *testing.T) {
	replies := []string{"220 hi\r\n", "250-a\r\n250 b\r\n", "250 c\r\n", "550 d\r\n", "251 e\r\n", "354 f\r\n", "250 g\r\n"}
	got := talk(t, replies, func(c *Client) {
		for i, step := range []func() (Reply, error){
			c.Greeting,
			func() (Reply, error) { return c.Hello("me.test") },
			func() (Reply, error) { return c.Mail("") },
			func() (Reply, error) { return c.Recipient(`"a b"@x.test`) },
			func() (Reply, error) { return c.Recipient("c@x.test") },
			c.Data,
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

func TestCommandsInAddresses(t *testing.T) {
	got := talk(t, []string{"220 hi\r\n"}, func(c *Client) {
		c.Greeting()
		for _, address := range []string{"a\r\nRSET", "a\nb", "a\rb", "a\x00b"} {
			if _, err := c.Mail(address); err != ErrLineBreak {
				t.Errorf("MAIL %q: %v", address, err)
			}
			if _, err := c.Recipient(address); err != ErrLineBreak {
				t.Errorf("RCPT %q: %v", address, err)
			}
			if _, err := c.Hello(address); err != ErrLineBreak {
				t.Errorf("HELO %q: %v", address, err)
			}
		}
		c.Close()
	})
	if got != "" {
		t.Errorf("%q", got)
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
		c.Data()
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
