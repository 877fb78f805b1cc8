// Package qmqpc hands a message to a QMQP server (qmail-qmqpc(8)) in place of
// qmail-queue, on a host that has no queue of its own (mini-qmail). The envelope is
// that of qmail-queue:
//
//	envelope = "F" sender NUL { "T" recipient NUL } NUL
//
// and what is sent that of package qmqpd:
//
//	request = netstring of { message sender { recipient } }
//	reply   = netstring of letter text; letter is K, Z or D
//
// Servers are asked in turn until one takes the connection. That one decides:
// whatever goes wrong afterwards is final, since the message may have been
// accepted.
//
// A netstring begins with its length, so the message and the envelope are read
// whole before anything is sent, into a package spool.
package qmqpc

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"goqmail/internal/accept/spool"
	"goqmail/internal/wire/netstring"
)

// MaxAddress is the longest address in an envelope, in bytes. A qmail-queue takes
// 1002, a qmail-qmqpd 999.
const MaxAddress = 64 << 10

// port is that of QMQP.
const port = "628"

// maxReply is the longest reply that is read, in bytes.
const maxReply = 64 << 10

// How long a server may take.
const (
	connectTimeout = 10 * time.Second
	ioTimeout      = 60 * time.Second
)

// What can go wrong, for errors.Is.
var (
	ErrRead      = errors.New("unable to read the message or the envelope")
	ErrFormat    = errors.New("malformed envelope")
	ErrSpool     = errors.New("unable to keep the message")
	ErrServers   = errors.New("no QMQP servers")
	ErrTimeout   = errors.New("connection to the QMQP server timed out")
	ErrRefused   = errors.New("connection to the QMQP server failed")
	ErrBroken    = errors.New("communication with the QMQP server failed")
	ErrTemporary = errors.New("the QMQP server has refused the message for now")
	ErrPermanent = errors.New("the QMQP server has refused the message for good")
)

// Servers returns those of the entries in control/qmqpservers that are IP
// addresses; others are passed over.
func Servers(entries []string) (servers []netip.Addr) {
	for _, e := range entries {
		if address, err := netip.ParseAddr(e); err == nil {
			servers = append(servers, address)
		}
	}
	return servers
}

// A Request is a message ready to be sent.
type Request struct {
	before  []byte // length of the request, length of the message
	message *spool.Spool
	after   *spool.Spool // the rest of the request
}

// Read reads a message and then its envelope. Large ones are kept in directory
// tmp until Close.
func Read(message, envelope io.Reader, tmp string) (*Request, error) {
	r := &Request{message: spool.New(tmp), after: spool.New(tmp)}
	if err := r.read(message, envelope); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Request) read(message, envelope io.Reader) error {
	if _, err := io.Copy(kept{r.message}, source{message}); err != nil {
		return err
	}
	after := bufio.NewWriter(kept{r.after})
	after.WriteByte(',')
	if err := encode(after, bufio.NewReaderSize(source{envelope}, MaxAddress+2)); err != nil {
		return err
	}
	if err := after.Flush(); err != nil {
		return err
	}
	inner := append(strconv.AppendInt(nil, r.message.Size(), 10), ':')
	whole := int64(len(inner)) + r.message.Size() + r.after.Size()
	r.before = append(append(strconv.AppendInt(nil, whole, 10), ':'), inner...)
	return nil
}

// encode turns an envelope to netstrings.
func encode(w *bufio.Writer, r *bufio.Reader) error {
	for want := byte('F'); ; want = 'T' {
		record, err := r.ReadSlice(0)
		switch {
		case err == io.EOF, err == bufio.ErrBufferFull:
			return ErrFormat
		case err != nil:
			return err
		case len(record) == 1 && want == 'T':
			return nil
		case record[0] != want:
			return ErrFormat
		}
		if _, err := w.Write(netstring.Append(nil, string(record[1:len(record)-1]))); err != nil {
			return err
		}
	}
}

// Close gives up the space of the request.
func (r *Request) Close() {
	r.message.Close()
	r.after.Close()
}

// Send hands the message to the first server that takes the connection. It returns
// nil when that has accepted it.
func (r *Request) Send(servers []netip.Addr) error {
	failed := ErrServers
	for _, server := range servers {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(server.String(), port), connectTimeout)
		if err == nil {
			defer conn.Close()
			return r.sendOver(conn)
		}
		failed = fmt.Errorf("%w: %w", ErrRefused, err)
		var n net.Error
		if errors.As(err, &n) && n.Timeout() {
			failed = fmt.Errorf("%w: %w", ErrTimeout, err)
		}
	}
	return failed
}

func (r *Request) sendOver(conn net.Conn) error {
	w := bufio.NewWriterSize(patient{conn}, 32<<10)
	request := io.MultiReader(bytes.NewReader(r.before), r.message.Reader(), r.after.Reader(), strings.NewReader(","))
	if _, err := io.Copy(w, request); err != nil {
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return readReply(bufio.NewReader(patient{conn}))
}

// readReply reads the letter of a reply; the text behind it has no place to go.
func readReply(r *bufio.Reader) error {
	_, err := netstring.ReadLength(r, maxReply)
	var letter byte
	if err == nil {
		letter, err = r.ReadByte()
	}
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrBroken, err)
	case letter == 'K':
		return nil
	case letter == 'D':
		return ErrPermanent
	case letter == 'Z':
		return ErrTemporary
	}
	return fmt.Errorf("%w: a reply that begins with %q", ErrBroken, letter)
}

// patient gives each read and write its time.
type patient struct{ net.Conn }

func (p patient) Read(b []byte) (int, error) {
	p.SetReadDeadline(time.Now().Add(ioTimeout))
	return p.Conn.Read(b)
}

func (p patient) Write(b []byte) (int, error) {
	p.SetWriteDeadline(time.Now().Add(ioTimeout))
	return p.Conn.Write(b)
}

// kept marks the errors of the spool.
type kept struct{ *spool.Spool }

func (k kept) Write(p []byte) (int, error) {
	n, err := k.Spool.Write(p)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrSpool, err)
	}
	return n, err
}

// A source marks the errors of reading.
type source struct{ r io.Reader }

func (s source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: %w", ErrRead, err)
	}
	return n, err
}
