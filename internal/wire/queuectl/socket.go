package queuectl

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"goqmail/internal/host/account"
	"goqmail/internal/wire/netstring"

	"golang.org/x/sys/unix"
)

const (
	// Directory is where the socket is, below the queue directory. It belongs to
	// qmails, and the group can enter it. C qmail does not look there.
	Directory = "queuectl"
	socket    = "socket"

	// Patience is how long either side waits for the other to read or write.
	Patience = 10 * time.Second
	// longest is how long all of it may take, for a client that reads a little now and
	// then and so would keep others from being served.
	longest = 10 * time.Minute
)

// A Listener is qmail-send's end.
type Listener struct {
	file   *os.File
	raw    syscall.RawConn
	uid    uint32 // of this process
	gid    uint32
	path   string
	closed atomic.Bool
}

// Listen makes the socket in a queue, in the place of one that is there: the caller has
// the queue's lock, so it is nobody's. Where the queue has no directory for it the error
// is fs.ErrNotExist.
func Listen(queueDir string) (*Listener, error) {
	dir, address, err := reach(queueDir)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	path := dir.Name() + "/" + socket
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(fd), path)
	err = unix.Bind(fd, address)
	if err == nil {
		err = os.Chmod(path, 0o660)
	}
	if err == nil {
		err = unix.Listen(fd, 16)
	}
	var raw syscall.RawConn
	if err == nil {
		raw, err = file.SyscallConn()
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("unable to listen on %s: %w", path, err)
	}
	return &Listener{file: file, raw: raw, uid: uint32(os.Geteuid()), gid: uint32(os.Getegid()), path: path}, nil
}

// Close ends listening. A nil Listener does not listen.
func (l *Listener) Close() {
	if l == nil {
		return
	}
	l.closed.Store(true)
	os.Remove(l.path)
	l.file.Close()
}

// reach opens the directory of the socket, and returns the socket's address by way of
// that: the path itself may be too long to be one.
func reach(queueDir string) (*os.File, unix.Sockaddr, error) {
	path := queueDir + "/" + Directory
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	address := path + "/" + socket
	if len(address) >= len(unix.RawSockaddrUnix{}.Path) {
		address = "/proc/self/fd/" + strconv.Itoa(fd) + "/" + socket
	}
	return os.NewFile(uintptr(fd), path), &unix.SockaddrUnix{Name: address}, nil
}

// Accept waits for a client. The user number is who that is; allowed tells whether he
// may ask for anything: root, the user that this process has, and who is named as a
// member of its group. The group alone is not enough, since qmail-rspawn and
// qmail-remote have it too, and nobody who has taken over those shall delete mail.
func (l *Listener) Accept() (c *Conn, uid uint32, allowed bool, err error) {
	fd := -1
	waited := l.raw.Read(func(listening uintptr) bool {
		for {
			fd, _, err = unix.Accept4(int(listening), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			if err != unix.EINTR && err != unix.ECONNABORTED {
				return err != unix.EAGAIN
			}
		}
	})
	if l.closed.Load() {
		waited = os.ErrClosed
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	if waited != nil {
		return nil, 0, false, waited
	}
	if err != nil {
		return nil, 0, false, os.NewSyscallError("accept", err)
	}
	c = newConn(fd)
	peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		c.Close()
		return nil, 0, false, os.NewSyscallError("getsockopt", err)
	}
	allowed = peer.Uid == 0 || peer.Uid == l.uid
	if !allowed {
		allowed, _ = account.IsMember(peer.Uid, l.gid) // unknown is not allowed
	}
	return c, peer.Uid, allowed, nil
}

// Dial connects to a qmail-send. An error that is ErrNobody says that none listens.
func Dial(queueDir string) (*Conn, error) {
	dir, address, err := reach(queueDir)
	if err != nil {
		return nil, nobody(err)
	}
	defer dir.Close()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	// A full backlog makes a client wait, but not for good.
	wait := unix.NsecToTimeval(int64(Patience))
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait)
	if err := unix.Connect(fd, address); err != nil {
		unix.Close(fd)
		return nil, nobody(&os.PathError{Op: "connect", Path: dir.Name() + "/" + socket, Err: err})
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return newConn(fd), nil
}

// ErrNobody says that no qmail-send listens.
var ErrNobody = errors.New("no qmail-send listens")

func nobody(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("%w: %w", ErrNobody, err)
	}
	return err
}

// A Conn is a connection, of either side. It is for one goroutine.
type Conn struct {
	file *os.File
	r    *bufio.Reader
	out  []byte
	ends time.Time // after which nothing is written
}

func newConn(fd int) *Conn {
	file := os.NewFile(uintptr(fd), socket)
	return &Conn{file: file, r: bufio.NewReaderSize(file, 4<<10), ends: time.Now().Add(longest)}
}

// Close hangs up.
func (c *Conn) Close() { c.file.Close() }

// Request reads a client's request.
func (c *Conn) Request() (Request, error) {
	c.file.SetReadDeadline(time.Now().Add(Patience))
	b, err := netstring.Read(c.r, MaxRequest)
	if err != nil {
		return Request{}, err
	}
	return ParseRequest(b)
}

// record is anything that can be sent.
type record interface{ Append([]byte) []byte }

// pieces is how much is collected before it is written.
const pieces = 32 << 10

// Send sends a record. What is sent is written by and by, and by End at the latest.
func (c *Conn) Send(r record) error { return c.send(r.Append(nil)) }

// SendMessage sends a message with its recipients.
func (c *Conn) SendMessage(m Message) error {
	err := c.Send(m)
	var b []byte
	for i, r := range m.Recipients {
		if err != nil {
			break
		}
		var live Live
		if i < len(m.Live) {
			live = m.Live[i]
		}
		b = AppendRecipient(b[:0], r, live)
		err = c.send(b)
	}
	return err
}

// End sends the record that is the last.
func (c *Conn) End() error {
	c.out = netstring.Append(c.out, "")
	return c.flush()
}

func (c *Conn) send(b []byte) error {
	if c.out = netstring.Append(c.out, string(b)); len(c.out) < pieces {
		return nil
	}
	return c.flush()
}

func (c *Conn) flush() error {
	deadline := time.Now().Add(Patience)
	if deadline.After(c.ends) {
		deadline = c.ends
	}
	c.file.SetWriteDeadline(deadline)
	_, err := c.file.Write(c.out)
	c.out = c.out[:0]
	return err
}

// Answers are what came of a request. What is nil is passed over.
type Answers struct {
	Message func(Message) error
	Result  func(Result)
	Domain  func(Domain)
}

// Ask sends a request and hands out what is answered, in order. Answers may take
// any time. An answer that breaks off is io.ErrUnexpectedEOF: what qmail-send has done
// by then is not known.
func (c *Conn) Ask(r Request, a Answers) error {
	failed := c.send(r.Append(nil))
	if failed == nil {
		failed = c.flush()
	}
	err := Receive(bufio.NewReader(patient{c.file}), a)
	if refused := Refusal(""); failed != nil && !errors.As(err, &refused) {
		err = failed // where it was refused before it was read, that is why
	}
	return err
}

// answerPatience is how long a client waits for more of an answer. qmail-send answers
// earlier (Later), unless it hangs.
const answerPatience = 2 * time.Minute

// patient reads, and waits for each piece.
type patient struct{ file *os.File }

func (p patient) Read(b []byte) (int, error) {
	p.file.SetReadDeadline(time.Now().Add(answerPatience))
	return p.file.Read(b)
}

// Receive reads the answers to a request.
func Receive(r *bufio.Reader, a Answers) error {
	var m *Message // whose recipients are still to come
	for {
		b, err := netstring.Read(r, maxRecord)
		switch {
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
		var v any
		if len(b) > 0 {
			if v, err = parseRecord(b); err != nil {
				return err
			}
		}
		if r, ok := v.(recipient); ok {
			if m == nil {
				return ErrForm
			}
			m.Recipients = append(m.Recipients, r.Recipient)
			m.Live = append(m.Live, r.Live)
			continue
		}
		if m != nil && a.Message != nil {
			if err := a.Message(*m); err != nil {
				return err
			}
		}
		m = nil
		switch v := v.(type) {
		case nil:
			return nil
		case Refusal:
			return v
		case Message:
			m = &v
		case Result:
			if a.Result != nil {
				a.Result(v)
			}
		case Domain:
			if a.Domain != nil {
				a.Domain(v)
			}
		}
	}
}
