package dialog

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A script hands out pieces of input and notes what was said in between.
type script struct {
	pieces []string
	events []string
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.pieces[0])
	s.events = append(s.events, "in "+s.pieces[0][:n])
	s.pieces = s.pieces[1:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error) {
	s.events = append(s.events, "out "+string(p))
	return len(p), nil
}

func TestRepliesAreHeldBackUntilInputIsNeeded(t *testing.T) {
	s := &script{pieces: []string{"a\nb\n", "c\nd", "e\n"}}
	d := New(s, s)
	for {
		line, err := d.In.ReadString('\n')
		if err != nil {
			break
		}
		d.Out.WriteString("<" + strings.TrimSpace(line) + ">")
	}
	want := []string{"in a\nb\n", "out <a><b>", "in c\nd", "out <c>", "in e\n", "out <de>"}
	if !slices.Equal(s.events, want) {
		t.Errorf("%q, want %q", s.events, want)
	}
}

func TestABrokenOutputEndsTheInput(t *testing.T) {
	broken := errors.New("broken")
	d := New(strings.NewReader("x"), writerFunc(func([]byte) (int, error) { return 0, broken }))
	d.Out.WriteString("hello")
	if _, err := d.In.ReadByte(); err != broken {
		t.Error(err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func pipe(t *testing.T) (r, w int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(p[0]); unix.Close(p[1]) })
	return p[0], p[1]
}

func TestDescriptor(t *testing.T) {
	r, w := pipe(t)
	text := bytes.Repeat([]byte("0123456789"), 100000)
	go func() {
		Descriptor{FD: w, Timeout: time.Hour}.Write(text)
		unix.Close(w)
	}()
	got, err := io.ReadAll(Descriptor{FD: r, Timeout: time.Hour})
	if err != nil || !bytes.Equal(got, text) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestDescriptorTimesOut(t *testing.T) {
	r, w := pipe(t)
	for _, d := range []Descriptor{{FD: r, Timeout: time.Millisecond}, {FD: r, Until: time.Now()}, {FD: r, Timeout: time.Hour, Until: time.Now().Add(time.Millisecond)}} {
		if _, err := d.Read(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
	}
	d := Descriptor{FD: w, Timeout: time.Millisecond}
	if n, err := d.Write(make([]byte, 1<<21)); !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 {
		t.Errorf("write: %d bytes, %v", n, err)
	}
}

func TestDescriptorOfAnotherMode(t *testing.T) {
	r, w := pipe(t)
	unix.SetNonblock(r, true)
	unix.SetNonblock(w, true)
	go Descriptor{FD: w}.Write(make([]byte, 1<<18))
	if n, err := io.ReadFull(Descriptor{FD: r}, make([]byte, 1<<18)); err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestDescriptorOfASocket(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	text := bytes.Repeat([]byte("0123456789"), 200_000)
	go func() {
		Descriptor{FD: pair[0], Timeout: time.Hour}.Write(text)
		unix.Close(pair[0])
	}()
	got, err := io.ReadAll(Descriptor{FD: pair[1], Timeout: time.Hour})
	if err != nil || !bytes.Equal(got, text) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	unix.Close(pair[1])
}

func TestDescriptorOfASocketTimesOut(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	d := Descriptor{FD: pair[0], Timeout: time.Millisecond}
	if n, err := d.Write(make([]byte, 1<<24)); !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 {
		t.Errorf("write: %d bytes, %v", n, err)
	}
	unix.Close(pair[1])
	if _, err := d.Write([]byte("x")); !errors.Is(err, unix.EPIPE) {
		t.Errorf("write to a closed socket: %v", err)
	}
	unix.Close(pair[0])
}

func TestSendAtOnce(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	Descriptor{FD: fd}.SendAtOnce()
	if on, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY); on != 1 || err != nil {
		t.Error(on, err)
	}
	Descriptor{FD: 9999}.SendAtOnce()
}
