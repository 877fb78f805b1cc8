package replay

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// The filesystem that is served has one file, and that is its root: so there is nothing
// to look up. The protocol is that of the kernel's include/uapi/linux/fuse.h, 7.31. Numbers
// in it are those of the machine's own order.

// Requests that are answered. All others get ENOSYS, with which the kernel does not ask
// again.
const (
	opForget      = 2
	opGetattr     = 3
	opSetattr     = 4
	opOpen        = 14
	opRead        = 15
	opWrite       = 16
	opRelease     = 18
	opFsync       = 20
	opFlush       = 25
	opInit        = 26
	opInterrupt   = 36
	opDestroy     = 38
	opBatchForget = 42
)

const (
	inHeader  = 40
	outHeader = 16
	maxWrite  = 1 << 20
	// What is agreed on at the start: several pages in a request, of more than one page.
	bigWrites, maxPages = 1 << 5, 1 << 22
	// The kernel keeps nothing of the file.
	directIO = 1
)

// A server answers for the file.
type server struct {
	device int      // where requests come from
	image  *os.File // what the file is now
	log    *os.File // what was written to it
	size   int64
	out    []byte // answer under way
}

// serve answers requests until the filesystem is unmounted. Each write and each flush is in
// the log before it is answered.
func serve(device int, image, log *os.File) error {
	info, err := image.Stat()
	if err != nil {
		return err
	}
	s := &server{device: device, image: image, log: log, size: info.Size()}
	for in := make([]byte, maxWrite+4096); ; {
		n, err := unix.Read(device, in)
		switch err {
		case nil:
		case unix.EINTR, unix.EAGAIN, unix.ENOENT: // one that was interrupted before it was read
			continue
		case unix.ENODEV:
			return nil
		default:
			return fmt.Errorf("read from FUSE: %w", err)
		}
		if n < inHeader {
			return fmt.Errorf("read from FUSE: %d bytes", n)
		}
		if err := s.request(in[:n]); err != nil {
			return err
		}
	}
}

// request does what is asked, and answers.
func (s *server) request(in []byte) error {
	op, unique, body := number32(in[4:]), in[8:16], in[inHeader:]
	if op == opForget || op == opBatchForget || op == opInterrupt {
		return nil // are not answered
	}
	s.out = append(s.out[:0], make([]byte, outHeader)...)
	err := s.do(op, body)
	var errno unix.Errno
	switch {
	case errors.As(err, &errno):
		s.out = s.out[:outHeader]
		binary.NativeEndian.PutUint32(s.out[4:], uint32(-int32(errno)))
	case err != nil:
		return err
	}
	binary.NativeEndian.PutUint32(s.out, uint32(len(s.out)))
	copy(s.out[8:], unique)
	if _, err := unix.Write(s.device, s.out); err != nil && err != unix.ENOENT { // it was interrupted
		return fmt.Errorf("answer to request %d: %w", op, err)
	}
	return nil
}

// do does it. An error that is a number is one for who asked, another ends the server.
func (s *server) do(op uint32, in []byte) error {
	switch op {
	case opInit:
		s.put32(7, 31, 0, bigWrites|maxPages)
		s.put16(16, 12) // requests in the background, and when these are many
		s.put32(maxWrite, 1)
		s.put16(uint16(maxWrite/unix.Getpagesize()), 0)
		s.out = append(s.out, make([]byte, 32)...)
	case opGetattr, opSetattr:
		s.put64(0)
		s.put32(0, 0)
		s.put64(1, uint64(s.size), uint64(s.size/512), 0, 0, 0)
		s.put32(0, 0, 0, unix.S_IFREG|0o600, 1, 0, 0, 0, 4096, 0)
	case opOpen:
		s.put64(1)
		s.put32(directIO, 0)
	case opRead:
		offset, size := int64(number64(in[8:])), int(number32(in[16:]))
		b := make([]byte, size)
		n, err := s.image.ReadAt(b, offset)
		if n == 0 && err != nil && offset < s.size {
			return fmt.Errorf("image: %w", err)
		}
		s.out = append(s.out, b[:n]...)
	case opWrite:
		data := in[40:][:number32(in[16:])]
		e := Event{Kind: Write, Offset: int64(number64(in[8:])), Data: data}
		if err := writeEvent(s.log, e); err != nil {
			return err
		}
		if _, err := s.image.WriteAt(data, e.Offset); err != nil {
			return fmt.Errorf("image: %w", err)
		}
		s.put32(uint32(len(data)), 0)
	case opFsync:
		return writeEvent(s.log, Event{Kind: Flush})
	case opFlush, opRelease, opDestroy: // of a descriptor, not of the disk
	default:
		return unix.ENOSYS
	}
	return nil
}

func writeEvent(log *os.File, e Event) error {
	if _, err := log.Write(e.append(nil)); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	return nil
}

func number32(b []byte) uint32 { return binary.NativeEndian.Uint32(b) }
func number64(b []byte) uint64 { return binary.NativeEndian.Uint64(b) }

func (s *server) put16(numbers ...uint16) {
	for _, n := range numbers {
		s.out = binary.NativeEndian.AppendUint16(s.out, n)
	}
}

func (s *server) put32(numbers ...uint32) {
	for _, n := range numbers {
		s.out = binary.NativeEndian.AppendUint32(s.out, n)
	}
}

func (s *server) put64(numbers ...uint64) {
	for _, n := range numbers {
		s.out = binary.NativeEndian.AppendUint64(s.out, n)
	}
}
