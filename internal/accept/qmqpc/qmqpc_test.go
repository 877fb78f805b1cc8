package qmqpc

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

	"goqmail/internal/accept/spool"
)

// sent reads a message and an envelope and returns what a server gets that gives a
// reply.
func sent(t *testing.T, message, envelope, reply string) (string, error) {
	t.Helper()
	r, err := Read(strings.NewReader(message), strings.NewReader(envelope), t.TempDir())
	if err != nil {
		return "", err
	}
	defer r.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan string, 1)
	go func() {
		theirs, err := l.Accept()
		if err != nil {
			close(got)
			return
		}
		defer theirs.Close()
		b := make([]byte, len(r.before)+int(r.message.Size()+r.after.Size())+1)
		n, _ := io.ReadFull(theirs, b)
		io.WriteString(theirs, reply)
		got <- string(b[:n])
	}()
	ours, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	err = r.sendOver(ours)
	return <-got, err
}

func TestRequest(t *testing.T) {
	big := strings.Repeat("0123456789\n", spool.Memory/5)
	for _, c := range []struct{ message, envelope, want string }{
		{"hi\n", "Fs\x00Tr\x00Tqq\x00\x00", "19:3:hi\n,1:s,1:r,2:qq,,"},
		{"", "F\x00\x00", "6:0:,0:,,"},
		{"\x00\r\n", "F\x00T\x00\x00ignored", "12:3:\x00\r\n,0:,0:,,"},
		{big, "F\x00T\x00\x00", "2306880:2306865:" + big + ",0:,0:,,"},
	} {
		got, err := sent(t, c.message, c.envelope, "4:Kok\n,")
		if got != c.want || err != nil {
			t.Errorf("%.30q: %.60q (%d bytes), %v", c.message, got, len(got), err)
		}
	}
}

func TestReplies(t *testing.T) {
	for reply, want := range map[string]error{
		"4:Kok\n,": nil, "1:K": nil, "6:Dnever,": ErrPermanent, "6:Zlater,": ErrTemporary,
		"": ErrBroken, "12:": ErrBroken, "K": ErrBroken, "220 mx.Kxample ESMTP": ErrBroken, "1:x,": ErrBroken, "0:,": ErrBroken, "99999999999:K": ErrBroken,
	} {
		if _, err := sent(t, "hi\n", "Fs\x00\x00", reply); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", reply, err, want)
		}
	}
}

func TestBrokenInput(t *testing.T) {
	for _, envelope := range []string{"", "x", "\x00", "Tr\x00\x00", "Fs\x00", "Fs\x00Tr", "Fs\x00Fr\x00\x00", "Fs\x00Xr\x00\x00", "F" + strings.Repeat("x", MaxAddress+1) + "\x00\x00"} {
		if _, err := Read(strings.NewReader("hi\n"), strings.NewReader(envelope), ""); !errors.Is(err, ErrFormat) {
			t.Errorf("%.20q: %v", envelope, err)
		}
	}
	broken := iotest.ErrReader(errors.New("broken"))
	if _, err := Read(broken, strings.NewReader("F\x00\x00"), ""); !errors.Is(err, ErrRead) {
		t.Error(err)
	}
	if _, err := Read(strings.NewReader(""), broken, ""); !errors.Is(err, ErrRead) {
		t.Error(err)
	}
	big := bytes.NewReader(make([]byte, 3*spool.Memory))
	if _, err := Read(big, strings.NewReader("F\x00\x00"), "/nonexistent"); !errors.Is(err, ErrSpool) {
		t.Error(err)
	}
	many := strings.NewReader("F\x00" + strings.Repeat("Tsomebody@example.org\x00", 100000) + "\x00")
	if _, err := Read(strings.NewReader(""), many, "/nonexistent"); !errors.Is(err, ErrSpool) {
		t.Error(err)
	}
}

func TestServers(t *testing.T) {
	got := Servers([]string{"localhost", "192.0.2.1", "2001:db8::1", "192.0.2.1:628", "192.0.2", "\xff"})
	if len(got) != 2 || got[0] != netip.MustParseAddr("192.0.2.1") || got[1] != netip.MustParseAddr("2001:db8::1") {
		t.Errorf("%v", got)
	}
	r, err := Read(strings.NewReader(""), strings.NewReader("F\x00\x00"), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Send(nil); err != ErrServers {
		t.Error(err)
	}
}

func FuzzReply(f *testing.F) {
	f.Add([]byte("4:Kok\n,"))
	f.Add([]byte("0006:Zlater,"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if err := readReply(bufio.NewReader(bytes.NewReader(in))); err == nil && !bytes.Contains(in, []byte(":K")) {
			t.Errorf("%q is taken for a success", in)
		}
	})
}

func FuzzEnvelope(f *testing.F) {
	f.Add([]byte("Fs\x00Tr\x00\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		w := bufio.NewWriter(&out)
		if encode(w, bufio.NewReaderSize(bytes.NewReader(in), MaxAddress+2)) != nil {
			return
		}
		w.Flush()
		end := bytes.Index(in, []byte("\x00\x00"))
		if end < 0 || bytes.Count(out.Bytes(), []byte(",")) < bytes.Count(in[:end+1], []byte("\x00")) {
			t.Errorf("%q became %q", in, out.Bytes())
		}
	})
}
