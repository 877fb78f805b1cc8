package resident

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var seeds = []string{
	"5:hello,1:0,1:7,1:2,1:2,1:3,1:4,1:5,1:6,2:10,",
	"7:request,1:1,1:2,1:0,4:echo,",
	"7:request,1:2,1:2,1:2,4:copy,",
	"7:request,1:3,1:2,1:0,5:panic,",
	"5:reply,1:1,1:2,1:x,0:,",
	"6:refuse,1:2,1:0,",
	"5:crash,1:3,1:0,",
	"4:ping,1:1,1:0,",
	"4:pong,1:1,1:0,",
	"7:request,20:18446744073709551615,1:1,1:0,",
	"7:request,1:1,1:2,1:1,4:echo,4:ping,1:1,1:0,7:request,1:2,1:2,1:1,4:echo,",
	"5:reply,1:1,1:0,5:reply,1:2,1:1,1:x,",
	"05:reply,1:1,1:0,",
	"5:reply,2:-1,1:0,",
	"5:reply,1:1,3:300,",
	"99999999999999999999:",
	"",
}

// FuzzRecords: what is read is what was written.
func FuzzRecords(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		err := each(packet, func(r record) error {
			b := r.appendTo(nil)
			if size, err := r.size(); err == nil && len(b) > size || err != nil && len(packet) <= MaxRecord-maxHead {
				t.Errorf("%q: %d bytes: %d, %v", packet, len(b), size, err)
			}
			if again, err := only(b); err != nil || !reflect.DeepEqual(r, again) {
				t.Errorf("%q: %v, then %v, %v", packet, r, again, err)
			}
			return nil
		})
		if err != nil && !errors.Is(err, errProtocol) {
			t.Error(err)
		}
	})
}

// FuzzParent gives a parent with two requests in flight two packets from its child.
// Each request gets at most one answer, and only one that is its own.
func FuzzParent(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), []byte(seeds[4]), false)
		f.Add([]byte(s), []byte(seeds[5]), true)
	}
	f.Fuzz(func(t *testing.T, first, second []byte, lost bool) {
		c := newKept(NewPool(Config{}), "", fileVersion{})
		c.open = true
		c.timer = time.NewTimer(time.Hour)
		defer c.timer.Stop()
		ours, theirs, err := pair()
		if err != nil {
			t.Fatal(err)
		}
		defer ours.close()
		defer theirs.Close()
		c.socket = ours
		answers := map[uint64]chan record{}
		for range 2 {
			number, answer := c.register()
			answers[number] = answer
		}
		for _, packet := range [][]byte{first, second} {
			if c.take(packet, nil, lost) != nil {
				break
			}
		}
		for number, answer := range answers {
			if n := len(answer); n > 1 || n == 1 && (<-answer).number != number || n == 1 && c.calls[number] != nil {
				t.Errorf("request %d: %d answers", number, n)
			}
		}
	})
}

// FuzzChild gives a child packets from its parent, the last one with descriptors. It
// ends, and has none of them left.
func FuzzChild(f *testing.F) {
	for i, s := range seeds {
		f.Add([]byte(seeds[1]), []byte(s), uint8(i))
	}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, first, second []byte, descriptors uint8) {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		s, err := newSocket(fds[1])
		if err != nil {
			t.Fatal(err)
		}
		rights := make([]int, descriptors%16)
		for i := range rights {
			rights[i] = null
		}
		unix.Sendmsg(fds[0], first, nil, nil, unix.MSG_NOSIGNAL)
		unix.Sendmsg(fds[0], second, unix.UnixRights(rights...), nil, unix.MSG_NOSIGNAL)
		unix.Shutdown(fds[0], unix.SHUT_WR)
		serve(s, own(), 2, func(r *Request) []string {
			for _, file := range r.Files {
				if file == nil {
					t.Error("a file is missing")
				}
			}
			return r.Fields
		})
		s.close()
		unix.Close(fds[0])
		// The lowest free descriptor is where it was.
		next, err := unix.Dup(null)
		unix.Close(next)
		if err != nil || next > fds[1] {
			t.Errorf("descriptor %d is free, %d was the socket: %v", next, fds[1], err)
		}
	})
}
