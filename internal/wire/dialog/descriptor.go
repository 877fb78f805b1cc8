package dialog

import (
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A Descriptor is an inherited descriptor that is read and written with a limit
// of time. Other processes may share it, so its mode is left as it is: the
// process waits in poll(2), not in the runtime.
type Descriptor struct {
	FD      int
	Timeout time.Duration // for each read and write; 0 means no limit
	Until   time.Time     // for all of them; zero means no limit
}

func (d Descriptor) Read(p []byte) (int, error) {
	for {
		if err := d.wait(unix.POLLIN); err != nil {
			return 0, err
		}
		n, err := unix.Read(d.FD, p)
		switch {
		case err == unix.EINTR, err == unix.EAGAIN:
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Write writes all of p: to a socket in as few pieces as the kernel takes, to
// anything else in pieces so small that none of them blocks once there is room.
func (d Descriptor) Write(p []byte) (int, error) {
	written := 0
	socket := true
	for written < len(p) {
		var n int
		var err error
		if socket {
			n, err = unix.SendmsgN(d.FD, p[written:], nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		} else if err = d.wait(unix.POLLOUT); err != nil {
			return written, err
		} else {
			n, err = unix.Write(d.FD, p[written:min(len(p), written+outputSize)])
		}
		switch {
		case err == unix.ENOTSOCK:
			socket = false
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			if err := d.wait(unix.POLLOUT); err != nil {
				return written, err
			}
		case err != nil:
			return written, os.NewSyscallError("write", err)
		default:
			written += n
		}
	}
	return written, nil
}

// SendAtOnce makes a TCP connection send what is written without waiting for the
// client to acknowledge what it has got (RFC 896), which the client may put off
// for 40 ms. What a Dialog writes at once is all that there is to be sent.
func (d Descriptor) SendAtOnce() {
	unix.SetsockoptInt(d.FD, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
}

// wait waits until the descriptor is ready. It says os.ErrDeadlineExceeded where
// that takes too long.
func (d Descriptor) wait(events int16) error {
	var end time.Time
	if d.Timeout > 0 {
		end = time.Now().Add(d.Timeout)
	}
	if !d.Until.IsZero() && (end.IsZero() || d.Until.Before(end)) {
		end = d.Until
	}
	for {
		milliseconds := -1
		if !end.IsZero() {
			const most = 24 * time.Hour // poll(2) takes 24 days at the most
			left := min(time.Until(end), most)
			if left < 0 {
				return os.ErrDeadlineExceeded
			}
			milliseconds = int(left/time.Millisecond) + 1
		}
		fds := []unix.PollFd{{Fd: int32(d.FD), Events: events}}
		n, err := unix.Poll(fds, milliseconds)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return os.NewSyscallError("poll", err)
		case n > 0:
			return nil
		}
	}
}
