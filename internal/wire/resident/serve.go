package resident

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"

	"golang.org/x/sys/unix"

	"goqmail/internal/host/crew"
)

// A Request is what a child is asked to do.
type Request struct {
	Fields []string
	Files  []*os.File
}

// Asked tells whether a program with these arguments was asked to reside.
func Asked(args []string) bool {
	return len(args) == 2 && args[1] == Argument && isSocket(Socket)
}

// isSocket tells whether a descriptor is of the kind that a parent makes.
func isSocket(fd int) bool {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || domain != unix.AF_UNIX {
		return false
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil && kind == unix.SOCK_SEQPACKET
}

// Serve says hello on descriptor 3 and does what is asked, each request in a
// goroutine of its own, up to inFlight at once. It returns when the parent is gone
// or has enough, or breaks the protocol, and all that had been asked is done.
//
// The files of a request are closed once do returns. A panic in do is told to the
// parent and written to descriptor 2; it ends that request, not the others. The
// parent asks nothing more of a process in which that happened. (A panic in a
// goroutine that do started ends the process.)
func Serve(inFlight int, do func(*Request) (reply []string)) error {
	unix.CloseOnExec(Socket)
	if err := unix.SetNonblock(Socket, true); err != nil {
		return fmt.Errorf("unable to use the socket: %w", err)
	}
	s, err := newSocket(Socket)
	if err != nil {
		return err
	}
	defer s.close()
	v, err := versionOf(executable)
	if err != nil {
		return err
	}
	return serve(s, v, inFlight, do)
}

// A server is the child's side.
type server struct {
	*socket
	do      func(*Request) []string
	busy    chan struct{} // one element for each request in flight
	running *crew.Crew
}

func serve(s *socket, v fileVersion, inFlight int, do func(*Request) []string) error {
	if err := s.send(newHello(v, inFlight), nil); err != nil {
		return err
	}
	sv := &server{socket: s, do: do, busy: make(chan struct{}, inFlight), running: crew.New()}
	defer sv.running.Wait()
	for {
		err := s.receive(maxPacketFiles, sv.accept)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, unix.ECONNRESET):
			return nil
		case err != nil:
			return err
		}
	}
}

// accept looks at a packet from the parent.
func (s *server) accept(packet []byte, fds []int, lost bool) error {
	err := each(packet, func(r record) error {
		n, err := s.acceptRecord(r, fds, lost)
		fds = fds[n:]
		return err
	})
	if err == nil && len(fds) > 0 {
		err = fmt.Errorf("%w: %d descriptors more", errProtocol, len(fds))
	}
	closeAll(fds)
	return err
}

// acceptRecord looks at one record of it, and takes the descriptors that are the
// record's from the front of fds.
func (s *server) acceptRecord(r record, fds []int, lost bool) (taken int, err error) {
	switch {
	case r.kind == request:
		return s.begin(r, fds, lost)
	case r.kind != ping || len(r.fields) > 0:
		return 0, fmt.Errorf("%w: %s with %d fields", errProtocol, r.kind, len(r.fields))
	}
	return 0, s.send(record{kind: pong, number: r.number}, nil)
}

// begin starts to do what is asked.
func (s *server) begin(r record, fds []int, lost bool) (taken int, err error) {
	expected := -1
	if len(r.fields) > 0 {
		if n, err := strconv.ParseUint(r.fields[0], 10, 16); err == nil {
			expected = int(n)
		}
	}
	if expected < 0 || expected > MaxFiles || len(fds) < expected && !lost {
		return 0, fmt.Errorf("%w: %d descriptors, not %d", errProtocol, len(fds), expected)
	}
	if len(fds) < expected { // no more were to be had
		closeAll(fds)
		return len(fds), s.send(record{kind: refuse, number: r.number}, nil)
	}
	select {
	case s.busy <- struct{}{}:
	default:
		return 0, fmt.Errorf("%w: more than %d requests at once", errProtocol, cap(s.busy))
	}
	q := &Request{Fields: r.fields[1:]}
	for _, fd := range fds[:expected] {
		q.Files = append(q.Files, os.NewFile(uintptr(fd), "descriptor of a request"))
	}
	s.running.Go(func() {
		answer := s.attempt(q)
		answer.number = r.number
		<-s.busy // before the parent knows, or its next request might come too early
		// That the parent is gone, receive will notice.
		if err := s.send(answer, nil); errors.Is(err, errSize) {
			s.send(record{kind: crash, number: r.number}, nil)
		}
	})
	return expected, nil
}

// attempt does what is asked, and survives it.
func (s *server) attempt(q *Request) (answer record) {
	defer func() {
		for _, f := range q.Files {
			f.Close()
		}
		if v := recover(); v != nil {
			fmt.Fprintf(os.Stderr, "panic: %v\n\n%s", v, debug.Stack())
			answer = record{kind: crash}
		}
	}()
	return record{kind: reply, fields: s.do(q)}
}
