package resident

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A socket carries packets with descriptors. Waiting for it takes no thread. It may
// be sent to by many goroutines, and received from by one.
type socket struct {
	f   *os.File
	raw syscall.RawConn
}

// packets holds room for packets while they are sent or received; a socket that
// waits for one has none.
var packets = sync.Pool{New: func() any { return new([MaxRecord]byte) }}

// errDescriptors says that descriptors are not open, or that the system takes no
// more underway.
var errDescriptors = errors.New("unable to pass descriptors")

// newSocket takes over a non-blocking descriptor.
func newSocket(fd int) (*socket, error) {
	f := os.NewFile(uintptr(fd), "socket of a resident program")
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &socket{f, raw}, nil
}

// pair makes a socketpair: our end, and the file for descriptor 3 of a child.
func pair() (ours *socket, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("unable to create socketpair: %w", err)
	}
	theirs = os.NewFile(uintptr(fds[1]), "socket for a resident program")
	if ours, err = newSocket(fds[0]); err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// send sends a record. It waits while the peer does not read. An error means that
// nothing was sent.
func (s *socket) send(r record, files []*os.File) error {
	packet := packets.Get().(*[MaxRecord]byte)
	defer packets.Put(packet)
	b, err := r.appendTo(packet[:0])
	if err != nil {
		return err
	}
	return s.sendPacket(b, files, true)
}

// trySend is send for a record that may as well be left out if the peer does not
// read.
func (s *socket) trySend(r record) error {
	b, err := r.appendTo(nil)
	if err != nil {
		return err
	}
	return s.sendPacket(b, nil, false)
}

func (s *socket) sendPacket(b []byte, files []*os.File, wait bool) error {
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			raw, err := f.SyscallConn()
			if err == nil {
				err = raw.Control(func(fd uintptr) { fds[i] = int(fd) })
			}
			if err != nil {
				return fmt.Errorf("%w: %w", errDescriptors, err)
			}
		}
		rights = unix.UnixRights(fds...)
	}
	var err error
	werr := s.raw.Write(func(fd uintptr) bool {
		for {
			_, err = unix.SendmsgN(int(fd), b, rights, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
			if err != unix.EINTR {
				return err != unix.EAGAIN || !wait
			}
		}
	})
	switch {
	case werr != nil:
		return werr
	case err == unix.ETOOMANYREFS, err == unix.EBADF:
		return fmt.Errorf("%w: %w", errDescriptors, err)
	}
	return err
}

// receive waits for a packet, and gives it to use together with the descriptors
// that came with it, which use has to close; at most maxFiles of them. lost tells
// that there were more, or that no more could be had; those are closed already.
// The end of the socket is io.EOF. (An empty packet looks the same. None is ever
// sent.)
func (s *socket) receive(maxFiles int, use func(packet []byte, fds []int, lost bool) error) error {
	var rights []byte
	if maxFiles > 0 {
		rights = make([]byte, unix.CmsgSpace(4*maxFiles))
	}
	var err error
	rerr := s.raw.Read(func(fd uintptr) bool {
		packet := packets.Get().(*[MaxRecord]byte)
		defer packets.Put(packet)
		var n, rightsn, flags int
		for {
			n, rightsn, flags, _, err = unix.Recvmsg(int(fd), packet[:], rights, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
			if err != unix.EINTR {
				break
			}
		}
		switch {
		case err == unix.EAGAIN:
			return false
		case err != nil:
			return true
		}
		fds := descriptors(rights[:rightsn])
		switch {
		case flags&unix.MSG_TRUNC != 0:
			closeAll(fds)
			err = fmt.Errorf("%w: packet of more than %d bytes", errProtocol, MaxRecord)
		case n == 0:
			closeAll(fds)
			err = io.EOF
		default:
			err = use(packet[:n], fds, flags&unix.MSG_CTRUNC != 0)
		}
		return true
	})
	if rerr != nil {
		return rerr
	}
	return err
}

// descriptors lists those that came in control messages.
func descriptors(rights []byte) []int {
	if len(rights) == 0 {
		return nil
	}
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil // what the kernel writes is well-formed
	}
	var all []int
	for i := range messages {
		if fds, err := unix.ParseUnixRights(&messages[i]); err == nil {
			all = append(all, fds...)
		}
	}
	return all
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// shutdown ends one direction, or both. SHUT_WR tells a child that no more will be
// asked.
func (s *socket) shutdown(how int) {
	s.raw.Control(func(fd uintptr) { unix.Shutdown(int(fd), how) })
}

func (s *socket) close() { s.f.Close() }
