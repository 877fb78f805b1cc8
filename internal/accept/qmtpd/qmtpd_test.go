package qmtpd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"goqmail/internal/accept/accepttest"
	"goqmail/internal/accept/connection"
	"goqmail/internal/accept/rcpthosts"
	"goqmail/internal/wire/netstring"
)

func ns(s string) string { return fmt.Sprintf("%d:%s,", len(s), s) }

func pkg(message, sender string, recipients ...string) string {
	var list string
	for _, r := range recipients {
		list += ns(r)
	}
	return ns(message) + ns(sender) + ns(list)
}

const (
	accepted = "OK,"
	hosts    = "66:Dsorry, that domain isn't in my list of allowed rcpthosts (#5.7.1),"
	cannot   = "46:Dsorry, I can't handle that recipient (#5.1.3),"
	tooLarge = "61:Dsorry, that message size exceeds my databytes limit (#5.3.4),"
	sender   = "29:Dunacceptable sender (#5.1.7),"
)

var kok = regexp.MustCompile(`\d+:Kok 800000000 qp \d+,`)

func serve(t *testing.T, config *Config, code int, in io.Reader, env ...string) (replies string, messages []accepttest.Message, err error) {
	t.Helper()
	q := accepttest.New(t, code)
	e := q.Env(env...)
	var out bytes.Buffer
	err = config.Serve(connection.Client{
		In: in, Out: &out, Env: e, Queue: e.Queue(q.Home()),
		Now:  func() time.Time { return time.Unix(800000000, 0) },
		Warn: func(string) {},
	})
	return kok.ReplaceAllString(out.String(), accepted), q.Messages(), err
}

func TestPackages(t *testing.T) {
	long := func(n int) string { return strings.Repeat("a", n) }
	anyone := &Config{Recipients: &rcpthosts.List{}}
	listed := &Config{Recipients: rcpthosts.New([]string{"y"}, nil)}
	limited := &Config{Databytes: 5, Recipients: &rcpthosts.List{}}
	for _, c := range []struct {
		name, in string
		config   *Config
		env      string
		replies  string
		queued   string // bodies and envelopes
	}{
		{"one", pkg("\nhi\n", "s", "r"), anyone, "", accepted, "hi\n|Fs\x00Tr\x00\x00"},
		{"two", pkg("\nhi\n", "", "r", "q") + pkg("\n", "t", ""), anyone, "", accepted + accepted + accepted, "hi\n|F\x00Tr\x00Tq\x00\x00" + "|Ft\x00T\x00\x00"},
		{"no recipients", pkg("\nhi\n", "s"), anyone, "", "", ""},
		{"CR LF", pkg("\ra\r\nb\nc\rd\r\r\n", "s", "r"), anyone, "", accepted, "a\nb\nc\rd\r\n|Fs\x00Tr\x00\x00"},
		{"CR at the end", pkg("\ra\r", "s", "r"), anyone, "", accepted, "a\r|Fs\x00Tr\x00\x00"},
		{"LF keeps CR", pkg("\na\r\n", "s", "r"), anyone, "", accepted, "a\r\n|Fs\x00Tr\x00\x00"},
		{"rcpthosts", pkg("\n", "s", "a@y", "b@n", "c"), listed, "", accepted + hosts + accepted, "|Fs\x00Ta@y\x00Tc\x00\x00"},
		{"nobody allowed", pkg("\n", "s", "b@n"), listed, "", hosts, ""},
		{"RELAYCLIENT", pkg("\n", "s", "b@n"), listed, "RELAYCLIENT=.x", accepted, "|Fs\x00Tb@n.x\x00\x00"},
		{"long RELAYCLIENT", pkg("\n", "s", ""), listed, "RELAYCLIENT=" + long(1000), cannot, ""},
		{"sender of 999", pkg("\n", long(999), "r"), anyone, "", accepted, "|F" + long(999) + "\x00Tr\x00\x00"},
		{"sender of 1000", pkg("\n", long(1000), "r", "q") + pkg("\n", "s", "r"), anyone, "", sender + sender + accepted, "|Fs\x00Tr\x00\x00"},
		{"sender with NUL", pkg("\n", "a\x00b", "r"), anyone, "", sender, ""},
		{"recipient of 1000", pkg("\n", "s", long(1000), "r"), anyone, "", cannot + accepted, "|Fs\x00Tr\x00\x00"},
		{"recipient with NUL", pkg("\n", "s", "a\x00", "r"), anyone, "", cannot + accepted, "|Fs\x00Tr\x00\x00"},
		{"at the limit", pkg("\n12345", "s", "r"), limited, "", accepted, "12345|Fs\x00Tr\x00\x00"},
		{"over the limit", pkg("\n123456", "s", "r"), limited, "", tooLarge, ""},
		{"at the limit with CR", pkg("\r1\r\n2\r\n3", "s", "r"), limited, "", accepted, "1\n2\n3|Fs\x00Tr\x00\x00"},
		{"over the limit with CR", pkg("\r1\r\n2\r\n3\r", "s", "r"), limited, "", tooLarge, ""},
		{"DATABYTES", pkg("\n123456", "s", "r"), limited, "DATABYTES=6", accepted, "123456|Fs\x00Tr\x00\x00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, in := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in))} {
				replies, messages, err := serve(t, c.config, 0, in, c.env)
				var queued string
				for _, m := range messages {
					queued += m.Body() + "|" + m.Envelope
				}
				if replies != c.replies || queued != c.queued || err != io.EOF {
					t.Errorf("%q, %q, %v", replies, queued, err)
				}
			}
		})
	}
}

func TestQueueRefuses(t *testing.T) {
	config := &Config{Recipients: &rcpthosts.List{}}
	for code, want := range map[int]string{31: ns("Dmail server permanently rejected message (#5.3.0)"), 53: ns("Zqq write error or disk full (#4.3.0)")} {
		if got, _, _ := serve(t, config, code, strings.NewReader(pkg("\n", "s", "r", "q"))); got != want+want {
			t.Errorf("%d: %q", code, got)
		}
	}
}

func TestBrokenPackages(t *testing.T) {
	config := &Config{Recipients: &rcpthosts.List{}}
	for in, want := range map[string]error{
		"":                                    io.EOF,
		"4":                                   io.ErrUnexpectedEOF,
		"4:\nhi":                              io.ErrUnexpectedEOF,
		"4:\nhi\n,8:s@x.test,11:8:r@y.test,":  io.ErrUnexpectedEOF,
		"3:hi\n,":                             netstring.ErrMalformed,
		"0:,":                                 netstring.ErrMalformed,
		"x:":                                  netstring.ErrMalformed,
		"4:\nhi\n;8:s@x.test,11:8:r@y.test,,": netstring.ErrMalformed,
		"4:\nhi\n,8:s@x.test;11:8:r@y.test,,": netstring.ErrMalformed,
		"4:\nhi\n,8:s@x.test,11:8:r@y.test;,": netstring.ErrMalformed,
		"4:\nhi\n,8:s@x.test,11:8:r@y.test,;": netstring.ErrMalformed,
		"4:\nhi\n,8:s@x.test,11:9:r@y.test,,": netstring.ErrMalformed,
		"4:\nhi\n,8:s@x.test,11:x:r@y.test,,": netstring.ErrMalformed,
		"4:\nhi\n,8:s@x.test,1:8:r@y.test,,":  netstring.ErrMalformed,
		"99999999999:":                        netstring.ErrTooLong,
	} {
		replies, messages, err := serve(t, config, 0, strings.NewReader(in))
		if replies != "" || len(messages) > 0 || err != want {
			t.Errorf("%q: %q, %d messages, %v", in, replies, len(messages), err)
		}
	}
	replies, messages, err := serve(t, config, 0, io.MultiReader(strings.NewReader("9:\nhi"), iotest.ErrReader(os.ErrDeadlineExceeded)))
	if replies != "" || len(messages) > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%q, %v", replies, err)
	}
}

func FuzzServe(f *testing.F) {
	f.Add([]byte(pkg("\nhi\n", "s", "r", "q") + pkg("\ra\r\nb\r", "", "x\x00")))
	f.Add([]byte("0002:\n\n,0:,3:0:,,"))
	config := &Config{Databytes: 100, Recipients: rcpthosts.New([]string{"y"}, nil)}
	env := connection.Environment{"QMAILQUEUE=/bin/true"}
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		err := config.Serve(connection.Client{In: bytes.NewReader(in), Out: &out, Env: env, Queue: env.Queue("/"), Now: time.Now, Warn: func(string) {}})
		if err == nil {
			t.Error("a session without an end")
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add([]byte("a\r\nb\r\r\n\r"), uint8(3))
	f.Fuzz(func(t *testing.T, in []byte, split uint8) {
		q := connection.Environment{"QMAILQUEUE=/bin/true"}.Queue("/")
		m, err := q.Open()
		if err != nil {
			t.Skip(err)
		}
		defer m.Close()
		x := &text{m: m, crlf: true}
		at := min(int(split), len(in))
		x.Write(in[:at])
		x.Write(in[at:])
		x.end()
		if want := len(bytes.ReplaceAll(in, []byte("\r\n"), []byte("\n"))); x.size != uint64(want) {
			t.Errorf("%q: %d bytes, want %d", in, x.size, want)
		}
	})
}
