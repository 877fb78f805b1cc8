package splogger

import "golang.org/x/sys/unix"

// A Socket is the way to the system's logger, which may be restarted at any time.
type Socket struct {
	Path string // /dev/log
	fd   int    // 0 where there is no connection
}

// Send sends a message. Where that fails, the logger is looked for once more;
// where it is not there, the message is lost.
func (s *Socket) Send(message string) {
	for range 2 {
		if s.fd == 0 && !s.connect() {
			return
		}
		_, err := unix.SendmsgN(s.fd, []byte(message), nil, nil, unix.MSG_NOSIGNAL)
		if err == nil {
			return
		}
		unix.Close(s.fd)
		s.fd = 0
	}
}

func (s *Socket) connect() bool {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: s.Path}); err != nil {
		unix.Close(fd)
		return false
	}
	// As syslog(3), wait for a logger that is slow, but not for ever for one that
	// is stuck: the mail would wait with us.
	timeout := unix.Timeval{Sec: 5}
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &timeout)
	s.fd = fd
	return true
}
