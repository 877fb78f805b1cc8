package memory

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"goqmail/internal/integration/site"
)

// deliver has qmail-remote deliver a message to r@big.example, and wants a report on it that
// is one of some, and little memory.
func deliver(t *testing.T, s *site.Site, reports string) {
	t.Helper()
	r := s.Run(site.Command{Program: "qmail-remote", As: "qmailr", Args: []string{"big.example", "s@host.example.org", "r@big.example"},
		Stdin: strings.NewReader("Subject: x\n\nHello!\n")})
	row(t, "qmail-remote", r.MaxRSS, limit)
	list := strings.Split(strings.TrimSuffix(r.Stdout, "\x00"), "\x00")
	last := list[len(list)-1]
	if r.Code != 0 || last == "" || !strings.Contains(reports, last[:1]) {
		t.Errorf("exit code %d, %.300q %.300q; want a report that is one of %s", r.Code, r.Stdout, r.Stderr, reports)
	}
}

// TestEndlessReplies: a server whose reply does not end, as a line or as lines, in each
// place where it has something to say.
func TestEndlessReplies(t *testing.T) {
	for _, c := range []struct{ name, piece string }{
		{"lines", "250-" + strings.Repeat("x", 60) + "\r\n"},
		{"a line", strings.Repeat("x", 64)},
	} {
		for _, to := range []string{"CONN", "HELO", "MAIL", "RCPT", "DATA", ".", "QUIT"} {
			t.Run(c.name+" to "+to, func(t *testing.T) {
				s := site.New(t)
				s.Control("smtproutes", ":127.0.0.2\n")
				flood := strings.Repeat(c.piece, 1024)
				usual := map[string]string{"CONN": "220 big\r\n", "HELO": "250 ok\r\n", "EHLO": "500 what?\r\n", "MAIL": "250 ok\r\n", "RCPT": "250 ok\r\n", "DATA": "354 go on\r\n", ".": "250 ok\r\n", "QUIT": "221 bye\r\n"}
				sent := make(chan int, 100)
				site.Listen(t, "127.0.0.2:25", func(conn net.Conn) {
					talk(conn, func(verb string) bool {
						if verb != to {
							io.WriteString(conn, usual[verb])
							return true
						}
						n := 0
						for ; n < 128<<20; n += len(flood) {
							if _, err := io.WriteString(conn, flood); err != nil {
								break
							}
						}
						sent <- n
						return false
					})
				})
				want := "Z"
				if to == "QUIT" {
					want = "K"
				}
				deliver(t, s, want)
				select {
				case n := <-sent:
					if n >= 64<<20 {
						t.Errorf("it has listened to %d bytes", n)
					}
				case <-time.After(10 * time.Second):
					t.Error("it was never said, or is still listened to")
				}
			})
		}
	}
}

// talk is a session of SMTP. It calls reply with each command's first four letters, with
// CONN in the beginning and with a dot behind the message, until that returns false.
func talk(conn net.Conn, reply func(verb string) bool) {
	if !reply("CONN") {
		return
	}
	text := false
	buf := make([]byte, 4096)
	var line []byte
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		line = append(line, buf[:n]...)
		for {
			command, rest, whole := bytes.Cut(line, []byte("\r\n"))
			if !whole {
				break
			}
			line = rest
			verb := string(command[:min(4, len(command))])
			if text && verb != "." {
				continue
			}
			text = verb == "DATA"
			if !reply(verb) {
				return
			}
		}
	}
}

// A query is one to a name server.
type query struct {
	message  []byte
	question []byte // name, type, class
	kind     uint16
	tcp      bool
}

const (
	typeA, typeCNAME, typeMX = 1, 5, 15

	truncated = 0x8380
	whole     = 0x8180
)

// answer makes an answer of records.
func (q query) answer(flags uint16, records ...[]byte) []byte {
	b := append([]byte(nil), q.message[:2]...)
	for _, n := range []uint16{flags, 1, uint16(len(records)), 0, 0} {
		b = binary.BigEndian.AppendUint16(b, n)
	}
	b = append(b, q.question...)
	for _, r := range records {
		b = append(b, r...)
	}
	return b
}

// record makes one. The name may be a pointer, such as that to the name in the question.
func record(name []byte, kind uint16, data []byte) []byte {
	b := append([]byte(nil), name...)
	for _, n := range []uint16{kind, 1, 0, 60, uint16(len(data))} {
		b = binary.BigEndian.AppendUint16(b, n)
	}
	return append(b, data...)
}

// asked points to the name in the question.
var asked = []byte{0xc0, 12}

// below makes a name out of a label and the one in the question.
func below(label string) []byte {
	return append(append([]byte{byte(len(label))}, label...), asked...)
}

// fill makes records as many as fit.
func fill(q query, make func(n int) []byte) (list [][]byte) {
	for size, n := 12+len(q.question), 0; ; n++ {
		r := make(n)
		if size += len(r); size > 65535 {
			return list
		}
		list = append(list, r)
	}
}

func exchangers(q query) [][]byte {
	return fill(q, func(n int) []byte {
		return record(asked, typeMX, append([]byte{0, byte(n)}, below(fmt.Sprintf("mx%d", n))...))
	})
}

func addresses(q query) [][]byte {
	return fill(q, func(n int) []byte { return record(asked, typeA, []byte{127, 1, byte(n >> 8), byte(n)}) })
}

// nameServer answers where /etc/resolv.conf of a site says.
func nameServer(t *testing.T, answer func(q query) [][]byte) {
	t.Helper()
	u, err := net.ListenPacket("udp", "127.0.0.53:53")
	must(t, err)
	t.Cleanup(func() { u.Close() })
	parse := func(message []byte, tcp bool) query {
		end := 12 + bytes.IndexByte(message[12:], 0) + 5
		return query{message, message[12:end], binary.BigEndian.Uint16(message[end-4:]), tcp}
	}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := u.ReadFrom(buf)
			if err != nil {
				return
			}
			for _, a := range answer(parse(bytes.Clone(buf[:n]), false)) {
				u.WriteTo(a, from)
			}
		}
	}()
	site.Listen(t, "127.0.0.53:53", func(conn net.Conn) {
		buf := make([]byte, 4096)
		n, err := conn.Read(buf)
		if err != nil || n < 2+12 {
			return
		}
		for _, a := range answer(parse(buf[2:n], true)) {
			conn.Write(binary.BigEndian.AppendUint16(nil, uint16(min(len(a), 65535))))
			if _, err := conn.Write(a); err != nil {
				return
			}
		}
	})
}

// TestAnswers: name servers answer with as much as an answer can hold, or more.
func TestAnswers(t *testing.T) {
	one := func(a []byte) [][]byte { return [][]byte{a} }
	for _, c := range []struct {
		name    string
		reports string
		answer  func(q query) [][]byte
	}{
		{"exchangers and addresses, thousands of each", "Z", func(q query) [][]byte {
			switch {
			case !q.tcp:
				return one(q.answer(truncated))
			case q.kind == typeMX:
				return one(q.answer(whole, exchangers(q)...))
			case q.kind == typeA:
				return one(q.answer(whole, addresses(q)...))
			}
			return one(q.answer(whole))
		}},
		{"an alias of itself", "ZD", func(q query) [][]byte {
			return one(q.answer(whole, record(asked, typeCNAME, asked)))
		}},
		{"aliases without end", "ZD", func(q query) [][]byte {
			return one(q.answer(whole, record(asked, typeCNAME, below("a"))))
		}},
		{"a chain of thousands of aliases", "ZD", func(q query) [][]byte {
			if !q.tcp {
				return one(q.answer(truncated))
			}
			return one(q.answer(whole, fill(q, func(n int) []byte {
				name := asked
				if n > 0 {
					name = below(fmt.Sprint("c", n))
				}
				return record(name, typeCNAME, below(fmt.Sprint("c", n+1)))
			})...))
		}},
		{"pointers to pointers", "ZD", func(q query) [][]byte {
			if !q.tcp {
				return one(q.answer(truncated))
			}
			at := 12 + len(q.question)
			return one(q.answer(whole, fill(q, func(n int) []byte {
				name := asked
				if n > 0 {
					name = []byte{0xc0 | byte(min(at, 0x3fff)>>8), byte(min(at, 0x3fff))}
				}
				at += 12 + len(name) - 2 + 4 // of the exchanger in the record before
				return record(name, typeMX, []byte{0, 1, 0xc0 | byte(min(at, 0x3fff)>>8), byte(min(at, 0x3fff))})
			})...))
		}},
		{"100,000 answers to other questions", "Z", func(q query) [][]byte {
			other := q.answer(whole, record(asked, typeA, []byte{127, 0, 0, 9}))
			other[0]++
			list := make([][]byte, 100_000)
			for i := range list {
				list[i] = other
			}
			return list
		}},
		{"more than was said, without end", "ZD", func(q query) [][]byte {
			if !q.tcp {
				return one(q.answer(truncated))
			}
			list := one(q.answer(whole, exchangers(q)...))
			for piece := make([]byte, 1<<16); len(list) < 2000; {
				list = append(list, piece)
			}
			return list
		}},
		{"records that are not there", "ZD", func(q query) [][]byte {
			a := q.answer(whole, record(asked, typeMX, append([]byte{0, 1}, below("x")...)))
			a[6], a[7], a[8], a[9], a[10], a[11] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
			return one(a)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site.New(t)
			nameServer(t, c.answer)
			deliver(t, s, c.reports)
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
