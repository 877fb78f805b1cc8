package dialog

import (
	"bufio"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrStopped says that the server is to stop, and that the client has begun
// nothing that would be left undone.
var ErrStopped = errors.New("the server is to stop")

// pace is how much a client has to send within the timeout, in bytes, in the
// middle of something. A client that sends byte after byte with pauses just below
// the timeout, to keep a server occupied, would otherwise need weeks for a message.
const pace = 4 << 10

// A Socket is the connected socket of a client, one of many in this process. While
// a dialog waits for a command, all that the connection takes is the socket, its
// goroutine, and no buffers.
//
// Its timeout is for each write, for each command, however the client may cut it
// into pieces, and for each 4 KB (pace) of anything longer.
type Socket struct {
	file    *os.File
	raw     syscall.RawConn
	timeout time.Duration // 0 means none
	until   time.Time     // for all; zero means no limit
	fresh   bool          // the timeout for reading starts anew with the next read
	read    int           // bytes since it did
	ahead   []byte        // what Unread has put back

	mu      sync.Mutex
	stopped bool
	idle    bool // waits where it may stop
}

// NewSocket takes a socket, which must be in non-blocking mode, over.
func NewSocket(fd int) (*Socket, error) {
	file := os.NewFile(uintptr(fd), "client")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &Socket{file: file, raw: raw, fresh: true}, nil
}

// Limit sets the timeout, and the time when all has to be over; zero means no
// limit.
func (s *Socket) Limit(timeout time.Duration, until time.Time) {
	s.timeout, s.until = timeout, until
	s.fresh = true
}

// deadline is the end of a timeout that begins now.
func (s *Socket) deadline() time.Time {
	if s.timeout == 0 {
		return s.until
	}
	end := time.Now().Add(s.timeout)
	if !s.until.IsZero() && s.until.Before(end) {
		return s.until
	}
	return end
}

// renew begins the timeout for reading anew.
func (s *Socket) renew() {
	s.fresh, s.read = false, 0
	s.file.SetReadDeadline(s.deadline())
}

// Unread puts back what was read before the dialog began: it is read first.
func (s *Socket) Unread(p []byte) { s.ahead = append([]byte(nil), p...) }

func (s *Socket) Read(p []byte) (int, error) {
	if len(s.ahead) > 0 {
		n := copy(p, s.ahead)
		s.ahead = s.ahead[n:]
		return n, nil
	}
	if s.fresh || s.read >= pace {
		s.renew()
	}
	n, err := s.file.Read(p)
	s.read += n
	return n, err
}

// Write writes all of p. The client then has time to react.
func (s *Socket) Write(p []byte) (int, error) {
	s.file.SetWriteDeadline(s.deadline())
	s.fresh = true
	return s.file.Write(p)
}

// Stop makes Await return ErrStopped where it may, now and later. Any goroutine
// may call it.
func (s *Socket) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if s.idle {
		s.file.SetReadDeadline(time.Unix(1, 0))
	}
}

func (s *Socket) isStopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// CloseWrite tells the client that nothing more will come, with the last of what
// was written. To close a socket that has unread input would make the kernel throw
// that away.
func (s *Socket) CloseWrite() {
	s.raw.Control(func(fd uintptr) { unix.Shutdown(int(fd), unix.SHUT_WR) })
}

// Close closes the connection.
func (s *Socket) Close() error { return s.file.Close() }

// await waits for input. It returns buffers, with the input if there is no error.
func (s *Socket) await(mayStop bool) (*buffers, error) {
	if err := s.beginAwait(mayStop); err != nil {
		return newBuffers(s), err
	}
	var b *buffers
	var failed error
	err := s.raw.Read(func(fd uintptr) bool {
		b = newBuffers(s)
		b.descriptor = int(fd)
		_, failed = b.in.Peek(1)
		b.descriptor = -1
		if failed == unix.EAGAIN {
			b.release()
			return false
		}
		return true
	})
	if err != nil { // the last attempt has given its buffers back
		b = newBuffers(s)
	} else if failed != io.EOF {
		err = failed
	}
	s.read = b.in.Buffered()
	if s.endAwait(mayStop) && errors.Is(err, os.ErrDeadlineExceeded) {
		err = ErrStopped
	}
	return b, err
}

func (s *Socket) beginAwait(mayStop bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if mayStop && s.stopped {
		return ErrStopped
	}
	s.idle = mayStop
	s.renew()
	return nil
}

// endAwait tells whether Stop may have ended the waiting.
func (s *Socket) endAwait(mayStop bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = false
	if mayStop && s.stopped {
		s.fresh = true
		return true
	}
	return false
}

// Buffers are what a dialog over a Socket has while it does not wait. They go from
// one to the next, so that there are only as many as dialogs are busy.
type buffers struct {
	socket     *Socket
	in         *bufio.Reader
	out        *bufio.Writer
	descriptor int // what in reads from, without waiting, or -1: socket
}

var spare = sync.Pool{New: func() any {
	b := &buffers{}
	b.in = bufio.NewReaderSize(b, inputSize)
	b.out = bufio.NewWriterSize(b, outputSize)
	return b
}}

func newBuffers(s *Socket) *buffers {
	b := spare.Get().(*buffers)
	b.socket, b.descriptor = s, -1
	b.in.Reset(b)
	b.out.Reset(b)
	return b
}

func (b *buffers) release() {
	b.socket = nil
	spare.Put(b)
}

// Read is for in.
func (b *buffers) Read(p []byte) (int, error) {
	if b.descriptor >= 0 && len(b.socket.ahead) == 0 {
		n, err := ignoringEINTR(func() (int, error) { return unix.Read(b.descriptor, p) })
		if n == 0 && err == nil {
			err = io.EOF
		}
		return max(n, 0), err
	}
	if err := b.out.Flush(); err != nil {
		return 0, err
	}
	return b.socket.Read(p)
}

// Write is for out.
func (b *buffers) Write(p []byte) (int, error) { return b.socket.Write(p) }

func ignoringEINTR(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); err != unix.EINTR {
			return n, err
		}
	}
}
