package qmqpd

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"goqmail/internal/accept/accepttest"
	"goqmail/internal/accept/connection"
	"goqmail/internal/wire/netstring"
)

func ns(s string) string { return fmt.Sprintf("%d:%s,", len(s), s) }

func request(message string, addresses ...string) string {
	all := ns(message)
	for _, a := range addresses {
		all += ns(a)
	}
	return ns(all)
}

var kok = regexp.MustCompile(`^\d+:Kok 800000000 qp \d+,$`)

func serve(t *testing.T, code int, in io.Reader) (reply string, messages []accepttest.Message, err error) {
	t.Helper()
	q := accepttest.New(t, code)
	e := q.Env()
	var out bytes.Buffer
	err = Serve(connection.Client{In: in, Out: &out, Env: e, Queue: e.Queue(q.Home()), Now: func() time.Time { return time.Unix(800000000, 0) }})
	return kok.ReplaceAllString(out.String(), "OK"), q.Messages(), err
}

func TestRequests(t *testing.T) {
	const refused = "51:Dsorry, I can't accept addresses like that (#5.1.3),"
	long := strings.Repeat("a", 1000)
	for _, c := range []struct {
		in     string
		code   int
		reply  string
		queued string
	}{
		{request("hi\n", "s", "r", "q"), 0, "OK", "hi\n|Fs\x00Tr\x00Tq\x00\x00"},
		{request("", "", ""), 0, "OK", "|F\x00T\x00\x00"},
		{request("\r\n\x00\xff", long[1:], "r") + "more", 0, "OK", "\r\n\x00\xff|F" + long[1:] + "\x00Tr\x00\x00"},
		{strings.Repeat("0", 97) + "9:0:,0:,0:,,", 0, "OK", "|F\x00T\x00\x00"},
		{request("hi\n", long, "r"), 0, refused, ""},
		{request("hi\n", "s", "r", long), 0, refused, ""},
		{request("hi\n", "s\x00", "r"), 0, refused, ""},
		{request("hi\n", "s", "r", "\x00"), 0, refused, ""},
		{request("hi\n", "s", "r"), 31, ns("Dmail server permanently rejected message (#5.3.0)"), "hi\n|Fs\x00Tr\x00\x00"},
		{request("hi\n", "s", "r"), 81, ns("Zqq internal bug (#4.3.0)"), "hi\n|Fs\x00Tr\x00\x00"},
	} {
		for _, in := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in))} {
			reply, messages, err := serve(t, c.code, in)
			var queued string
			for _, m := range messages {
				queued += m.Body() + "|" + m.Envelope
			}
			if reply != c.reply || queued != c.queued || err != nil {
				t.Errorf("%.40q: %q, %q, %v", c.in, reply, queued, err)
			}
		}
	}
}

func TestBrokenRequests(t *testing.T) {
	for in, want := range map[string]error{
		"":                                  io.ErrUnexpectedEOF,
		"2":                                 io.ErrUnexpectedEOF,
		"28:3:hi":                           io.ErrUnexpectedEOF,
		"28:3:hi\n,8:s@x.test,8:r@y.test,":  io.ErrUnexpectedEOF,
		"28:3:hi\n,8:s@x.test,8:r@y.test,;": netstring.ErrMalformed,
		"28:3:hi\n;8:s@x.test,8:r@y.test,,": netstring.ErrMalformed,
		"28:3:hi\n,8:s@x.test;8:r@y.test,,": netstring.ErrMalformed,
		"27:3:hi\n,8:s@x.test,8:r@y.test,,": netstring.ErrMalformed,
		"9:3:hi\n,8:s@":                     netstring.ErrMalformed,
		"5:9:hi\n,":                         netstring.ErrMalformed,
		"6:3:hi\n,,":                        netstring.ErrMalformed,
		"0:,":                               netstring.ErrMalformed,
		"z:":                                netstring.ErrMalformed,
		strings.Repeat("0", 101) + "9:0:,0:,0:,,": netstring.ErrMalformed,
		"99999999999:":       netstring.ErrTooLong,
		"20:99999999999:hi,": netstring.ErrTooLong,
	} {
		reply, messages, err := serve(t, 0, strings.NewReader(in))
		if reply != "" || len(messages) > 0 || err != want {
			t.Errorf("%q: %q, %d messages, %v", in, reply, len(messages), err)
		}
	}
}

func FuzzServe(f *testing.F) {
	f.Add([]byte(request("hi\n", "s", "r")))
	f.Add([]byte("9:0:,0:,0:,,"))
	env := connection.Environment{"QMAILQUEUE=/bin/true"}
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		err := Serve(connection.Client{In: bytes.NewReader(in), Out: &out, Env: env, Queue: env.Queue("/"), Now: time.Now})
		if (err == nil) != (out.Len() > 0) {
			t.Errorf("%v, reply %q", err, out.String())
		}
	})
}
