package socket

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func addresses(list ...string) (result []netip.AddrPort) {
	for _, a := range list {
		result = append(result, netip.MustParseAddrPort(a))
	}
	return result
}

// TestListen connects in all the ways that a listening address stands for.
func TestListen(t *testing.T) {
	for _, c := range []struct {
		listen   []string
		yes, not []string
	}{
		{[]string{"127.0.0.1:0"}, []string{"127.0.0.1"}, []string{"127.0.0.2", "::1"}},
		{[]string{"[::1]:0"}, []string{"::1"}, []string{"127.0.0.1"}},
		{[]string{"[::]:0"}, []string{"::1", "127.0.0.1", "127.0.0.2"}, nil},
		{[]string{"0.0.0.0:0"}, []string{"127.0.0.1", "127.0.0.2"}, []string{"::1"}},
	} {
		list, err := Listen(addresses(c.listen...))
		if err != nil {
			t.Fatal(err)
		}
		l := list[0]
		for _, ip := range c.yes {
			to := netip.AddrPortFrom(netip.MustParseAddr(ip), l.Addr().Port())
			conn, err := net.Dial("tcp", to.String())
			if err != nil {
				t.Errorf("%s on %s: %v", ip, c.listen, err)
				continue
			}
			a, err := l.Accept()
			if err != nil || a.Local != to || a.Remote.String() != conn.LocalAddr().String() {
				t.Errorf("%s on %s: %+v, %v", ip, c.listen, a, err)
			}
			delay, err1 := unix.GetsockoptInt(a.FD, unix.IPPROTO_TCP, unix.TCP_NODELAY)
			flags, err2 := unix.FcntlInt(uintptr(a.FD), unix.F_GETFL, 0)
			fdFlags, err3 := unix.FcntlInt(uintptr(a.FD), unix.F_GETFD, 0)
			if err1 != nil || err2 != nil || err3 != nil || delay == 0 || flags&unix.O_NONBLOCK == 0 || fdFlags&unix.FD_CLOEXEC == 0 {
				t.Errorf("TCP_NODELAY %d, flags %#x, %#x", delay, flags, fdFlags)
			}
			unix.Close(a.FD)
			conn.Close()
		}
		for _, ip := range c.not {
			if conn, err := net.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr(ip), l.Addr().Port()).String()); err == nil {
				t.Errorf("%s on %s", ip, c.listen)
				conn.Close()
			}
		}
		CloseAll(list)
		if _, err := l.Accept(); !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	}
}

// TestBothWildcards: the two may have the same port.
func TestBothWildcards(t *testing.T) {
	list, err := Listen(addresses("[::]:0"))
	if err != nil {
		t.Fatal(err)
	}
	port := list[0].Addr().Port()
	CloseAll(list)
	both := []netip.AddrPort{netip.AddrPortFrom(netip.IPv6Unspecified(), port), netip.AddrPortFrom(netip.IPv4Unspecified(), port)}
	list, err = Listen(both)
	if err != nil {
		t.Fatal(err)
	}
	defer CloseAll(list)
	if _, err := Listen(both[1:]); !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), "unable to listen on 0.0.0.0:") {
		t.Error(err)
	}
}

func TestCloseEndsAccept(t *testing.T) {
	list, err := Listen(addresses("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := list[0].Accept()
		done <- err
	}()
	list[0].Close()
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

func TestAcceptErrors(t *testing.T) {
	for _, err := range []error{unix.ECONNABORTED, unix.EPROTO, unix.ENETDOWN, unix.EHOSTUNREACH, unix.EINTR, unix.ETIMEDOUT} {
		if acceptError(err) != ErrPassing {
			t.Error(err)
		}
	}
	for _, err := range []error{unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EBADF} {
		if got := acceptError(err); !errors.Is(got, err) {
			t.Error(got)
		}
	}
}

func TestPassed(t *testing.T) {
	for env, want := range map[string]int{
		"LISTEN_PID=7 LISTEN_FDS=2":                    2,
		"LISTEN_PID=8 LISTEN_FDS=2":                    0,
		"LISTEN_PID=7":                                 0,
		"LISTEN_FDS=2":                                 0,
		"LISTEN_PID=7 LISTEN_FDS=":                     0,
		"LISTEN_PID=7 LISTEN_FDS=-1":                   0,
		"LISTEN_PID=7 LISTEN_FDS=2x":                   0,
		"LISTEN_PID=+7 LISTEN_FDS=2":                   0,
		"LISTEN_PID=7 LISTEN_FDS=99999999999999999999": 0,
		"LISTEN_PID=7 LISTEN_FDS=1024":                 1024,
		"LISTEN_PID=7 LISTEN_FDS=1025":                 0,
		"LISTEN_PID=7 LISTEN_PID=8 LISTEN_FDS=2":       2,
		"XLISTEN_PID=7 LISTEN_FDS=2":                   0,
		"":                                             0,
	} {
		if got := Passed(strings.Fields(env), 7); got != want {
			t.Errorf("%s: %d", env, got)
		}
	}
}

// TestNotInherited: descriptors that are none are not taken.
func TestNotInherited(t *testing.T) {
	for _, env := range [][]string{nil, {"LISTEN_PID=7", "LISTEN_FDS=1"}, {"LISTEN_PID=7", "LISTEN_FDS=1000"}} {
		if list, err := Inherited(env, 7); len(list) != 0 || err != nil {
			t.Errorf("%q: %v, %v", env, list, err)
		}
	}
	var r, w, err = os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w.WriteString("x")
	w.Close()
	if got, _ := io.ReadAll(r); string(got) != "x" {
		t.Error("a descriptor was closed")
	}
}

func FuzzPassed(f *testing.F) {
	f.Add("LISTEN_PID=7", "LISTEN_FDS=2")
	f.Add("LISTEN_FDS=0", "LISTEN_PID=007")
	f.Fuzz(func(t *testing.T, a, b string) {
		n := Passed([]string{a, b}, 7)
		if n < 0 || n > mostPassed {
			t.Error(n)
		}
		if n > 0 && Passed([]string{a, b}, 8) != 0 {
			t.Errorf("%q, %q are for two processes", a, b)
		}
	})
}
