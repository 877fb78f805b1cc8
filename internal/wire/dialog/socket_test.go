package dialog

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pair returns a Socket and the other end of its connection.
func pair(t testing.TB) (*Socket, *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSocket(fds[0])
	if err != nil {
		t.Fatal(err)
	}
	peer := os.NewFile(uintptr(fds[1]), "peer")
	t.Cleanup(func() { s.Close(); peer.Close() })
	return s, peer
}

// echo answers each line with itself until something ends it.
func echo(s *Socket, mayStop bool) error {
	d := New(s, s)
	defer d.Release()
	for {
		if err := d.Await(mayStop); err != nil {
			d.Out.WriteString("bye\n")
			d.Out.Flush()
			return err
		}
		line, err := d.In.ReadSlice('\n')
		if err != nil {
			return err
		}
		d.Out.WriteString("<")
		d.Out.Write(line)
	}
}

// say writes lines, and wants an answer that comes in one piece.
func say(t *testing.T, peer *os.File, lines, want string) {
	t.Helper()
	if _, err := peer.WriteString(lines); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4096)
	n, err := peer.Read(answer)
	if err != nil || string(answer[:n]) != want {
		t.Errorf("%q, %v to %q", answer[:n], err, lines)
	}
}

func TestSocket(t *testing.T) {
	s, peer := pair(t)
	done := make(chan error)
	go func() { done <- echo(s, false) }()
	say(t, peer, "one\n", "<one\n")
	say(t, peer, "two\nthree\n", "<two\n<three\n")
	say(t, peer, "four\nfi", "<four\n")
	say(t, peer, "ve\n", "<five\n")
	unix.Shutdown(int(peer.Fd()), unix.SHUT_WR)
	if err := <-done; err != io.EOF {
		t.Error(err)
	}
}

func TestSocketBroken(t *testing.T) {
	s, peer := pair(t)
	peer.Close()
	d := New(s, s)
	d.Out.WriteString("hello")
	if err := d.Await(true); !errors.Is(err, unix.EPIPE) {
		t.Error(err)
	}
	d.Out.WriteString("hello again")
	d.Release()
}

// TestUnread: what was put back comes first, as if it had just come.
func TestUnread(t *testing.T) {
	s, peer := pair(t)
	s.Unread([]byte("one\ntwo\nthr"))
	done := make(chan error)
	go func() { done <- echo(s, false) }()
	say(t, peer, "", "<one\n<two\n")
	say(t, peer, "ee\n", "<three\n")
	peer.Close()
	<-done
}

// TestTimeout: the time is up in the middle of nothing and in the middle of a line.
func TestTimeout(t *testing.T) {
	for _, first := range []string{"", "half a li"} {
		s, peer := pair(t)
		s.Limit(time.Millisecond, time.Time{})
		peer.WriteString(first)
		if err := echo(s, true); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("behind %q: %v", first, err)
		}
		s, _ = pair(t)
		s.Limit(time.Hour, time.Now())
		if err := echo(s, true); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	}
}

// TestPace: a client that sends byte after byte does not gain time with each.
func TestPace(t *testing.T) {
	s, peer := pair(t)
	s.Limit(time.Hour, time.Time{})
	d := New(s, s)
	deadlines := 0
	renewed := func() bool {
		was := s.read
		peer.WriteString("x")
		if _, err := d.In.ReadByte(); err != nil {
			t.Fatal(err)
		}
		return s.read <= was
	}
	peer.WriteString("a")
	d.Await(false)
	d.In.ReadByte()
	for range 2 * pace {
		if renewed() {
			deadlines++
		}
	}
	if deadlines != 2 {
		t.Errorf("the time began %d times anew for %d bytes", deadlines, 2*pace)
	}
	d.Out.WriteString("hello")
	if renewed(); s.read != 1 {
		t.Error("the client has no time for a reply")
	}
}

func TestStop(t *testing.T) {
	// before and while it waits
	for _, before := range []bool{true, false} {
		s, peer := pair(t)
		if before {
			s.Stop()
		}
		done := make(chan error)
		go func() { done <- echo(s, true) }()
		if !before {
			say(t, peer, "one\n", "<one\n")
			s.Stop()
		}
		if err := <-done; err != ErrStopped {
			t.Error(err)
		}
		say(t, peer, "", "bye\n")
	}
	// where it may not
	s, peer := pair(t)
	done := make(chan error)
	go func() { done <- echo(s, false) }()
	say(t, peer, "one\n", "<one\n")
	s.Stop()
	say(t, peer, "two\n", "<two\n")
	peer.Close()
	if err := <-done; err != io.EOF {
		t.Error(err)
	}
}

// TestStopBetweenCommands: commands that are there already are not obeyed.
func TestStopBetweenCommands(t *testing.T) {
	s, peer := pair(t)
	peer.WriteString("one\ntwo\n")
	d := New(s, s)
	if err := d.Await(true); err != nil {
		t.Fatal(err)
	}
	d.In.ReadSlice('\n')
	s.Stop()
	if err := d.Await(true); err != ErrStopped {
		t.Error(err)
	}
}

// TestBuffersComeBack: one who waits has none.
func TestBuffersComeBack(t *testing.T) {
	s, peer := pair(t)
	d := New(s, s)
	waiting := make(chan error)
	go func() { waiting <- d.Await(false) }()
	peer.WriteString(strings.Repeat("x", 2*inputSize))
	if err := <-waiting; err != nil || d.In.Buffered() == 0 {
		t.Fatal(err)
	}
	d.Release()
	if d.In != nil || d.Out != nil || d.buffers != nil {
		t.Error("still there")
	}
	d.Release()
}

// TestLarge: what is larger than all buffers goes through both ways.
func TestLarge(t *testing.T) {
	s, peer := pair(t)
	text := append(bytes.Repeat([]byte("0123456789"), 100_000), '\n')
	done := make(chan error)
	go func() {
		d := New(s, s)
		defer d.Release()
		err := d.Await(false)
		for n := 0; n < len(text) && err == nil; n++ {
			var c byte
			if c, err = d.In.ReadByte(); err == nil {
				err = d.Out.WriteByte(c)
			}
		}
		d.Out.Flush()
		s.CloseWrite()
		done <- err
	}()
	go peer.Write(text)
	got, err := io.ReadAll(peer)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err != nil || !bytes.Equal(got, text) {
		t.Errorf("%d bytes of %d, %v", len(got), len(text), err)
	}
}
