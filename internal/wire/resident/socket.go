package resident

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A socket carries packets with descriptors. Waiting for it takes no thread. It may
// be sent to by many goroutines, and received from by one.
//
// Records that are to be sent at the same time share a packet: one of their senders
// sends it, and the others wait for him. Before he does, he lets those come who are
// about to. A packet costs each side a system call and often a switch of processes,
// which is more than all else that is done with a small record.
type socket struct {
	f   *os.File
	raw syscall.RawConn

	mu      sync.Mutex
	sending bool // somebody sends, or has been told to
	next    *packet
}

// A packet is to be sent. What is in it changes only while it is next.
type packet struct {
	space  *[MaxRecord]byte
	bytes  []byte // in space
	fds    []int
	sender chan struct{} // one of those whose records are in it is told to send it
	sent   chan struct{} // closed when err is set
	err    error
}

// room tells whether more can be put into a packet.
func (p *packet) room(bytes, fds int) bool {
	return len(p.bytes)+bytes <= MaxRecord && len(p.fds)+fds <= maxPacketFiles
}

// spaces holds room for packets while they are sent or received; a socket that
// waits for one has none.
var spaces = sync.Pool{New: func() any { return new([MaxRecord]byte) }}

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
	return &socket{f: f, raw: raw}, nil
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
	size, err := r.size()
	if err != nil {
		return err
	}
	fds, err := numbers(files)
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(files)
	s.mu.Lock()
	for s.next != nil && !s.next.room(size, len(fds)) {
		full := s.next
		s.mu.Unlock()
		<-full.sent
		s.mu.Lock()
	}
	p := s.next
	if p == nil {
		p = &packet{space: spaces.Get().(*[MaxRecord]byte), sender: make(chan struct{}, 1), sent: make(chan struct{})}
		p.bytes = p.space[:0]
		s.next = p
	}
	p.bytes, p.fds = r.appendTo(p.bytes), append(p.fds, fds...)
	if s.sending {
		s.mu.Unlock()
		select {
		case <-p.sent:
			return p.err
		case <-p.sender:
		}
	} else {
		s.sending = true
		s.mu.Unlock()
	}
	runtime.Gosched()

	s.mu.Lock()
	s.next = nil
	s.mu.Unlock()
	p.err = s.sendPacket(p.bytes, p.fds, true)
	spaces.Put(p.space)
	close(p.sent)
	s.mu.Lock()
	if s.sending = s.next != nil; s.sending {
		s.next.sender <- struct{}{}
	}
	s.mu.Unlock()
	return p.err
}

// numbers are those of open files.
func numbers(files []*os.File) ([]int, error) {
	fds := make([]int, len(files))
	for i, f := range files {
		raw, err := f.SyscallConn()
		if err == nil {
			err = raw.Control(func(fd uintptr) { fds[i] = int(fd) })
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errDescriptors, err)
		}
	}
	return fds, nil
}

// trySend is send for a record that may as well be left out if the peer does not
// read.
func (s *socket) trySend(r record) error {
	return s.sendPacket(r.appendTo(nil), nil, false)
}

func (s *socket) sendPacket(b []byte, fds []int, wait bool) error {
	var rights []byte
	if len(fds) > 0 {
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
		packet := spaces.Get().(*[MaxRecord]byte)
		defer spaces.Put(packet)
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
