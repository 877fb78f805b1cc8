// Package proxy reads the header that a load balancer sends before what the client
// says, and that tells who the client is: the PROXY protocol, versions 1 and 2, of
// HAProxy.
//
//	v1 = "PROXY" SP ( "TCP4" | "TCP6" ) SP source SP destination SP port SP port CR LF
//	   | "PROXY" SP "UNKNOWN" { byte } CR LF
//	v2 = signature, version and command, family, length, addresses, extensions
//
// A line of version 1 has at most 107 bytes, and a header of version 2 at most
// maxLength behind its fixed part; extensions are passed over. The numbers of
// version 2 have the big end first.
//
// Whoever may send a header can claim to be anybody, so that only stated networks
// may; and as they always do send one, a connection of theirs without it is
// ErrMalformed rather than a client.
//
// From https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt.
package proxy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// ErrMalformed says that a connection does not begin with a header.
var ErrMalformed = errors.New("malformed PROXY header")

const (
	maxLine   = 107
	maxLength = 4096

	signature = "\r\n\r\n\x00\r\nQUIT\n"
)

// A Header says between whom the connection is.
type Header struct {
	// Local says that the connection is the balancer's own, or that it does not
	// know the client; the addresses are those of the socket then.
	Local               bool
	Source, Destination netip.AddrPort
}

// Read reads a header. What follows it stays in r.
func Read(r *bufio.Reader) (Header, error) {
	first, err := r.Peek(1)
	if err != nil {
		return Header{}, unexpected(err)
	}
	if first[0] == 'P' {
		return readLine(r)
	}
	return readBinary(r)
}

// readLine reads a header of version 1.
func readLine(r *bufio.Reader) (Header, error) {
	var line []byte
	for !strings.HasSuffix(string(line), "\r\n") {
		c, err := r.ReadByte()
		if err != nil {
			return Header{}, unexpected(err)
		}
		if line = append(line, c); len(line) > maxLine {
			return Header{}, fmt.Errorf("%w: a long line", ErrMalformed)
		}
	}
	text, tagged := strings.CutPrefix(string(line[:len(line)-2]), "PROXY ")
	if tagged && (text == "UNKNOWN" || strings.HasPrefix(text, "UNKNOWN ")) {
		return Header{Local: true}, nil
	}
	word := strings.Split(text, " ")
	if !tagged || len(word) != 5 || word[0] != "TCP4" && word[0] != "TCP6" {
		return Header{}, fmt.Errorf("%w: %q", ErrMalformed, line)
	}
	source, ok1 := addrPort(word[1], word[3], word[0] == "TCP4")
	destination, ok2 := addrPort(word[2], word[4], word[0] == "TCP4")
	if !ok1 || !ok2 {
		return Header{}, fmt.Errorf("%w: %q", ErrMalformed, line)
	}
	return Header{Source: source, Destination: destination}, nil
}

// addrPort reads an address and a port of version 1.
func addrPort(address, port string, four bool) (netip.AddrPort, bool) {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Is4() != four || a.Zone() != "" {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || port[0] == '0' && len(port) > 1 {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), true
}

// readBinary reads a header of version 2.
func readBinary(r *bufio.Reader) (Header, error) {
	var fixed [16]byte
	for i := range fixed {
		c, err := r.ReadByte()
		if err != nil {
			return Header{}, unexpected(err)
		}
		if i < len(signature) && c != signature[i] {
			return Header{}, ErrMalformed
		}
		fixed[i] = c
	}
	command, family := fixed[12], fixed[13]
	length := int(binary.BigEndian.Uint16(fixed[14:]))
	if length > maxLength {
		return Header{}, fmt.Errorf("%w: %d bytes", ErrMalformed, length)
	}
	rest := make([]byte, length)
	if _, err := io.ReadFull(r, rest); err != nil {
		return Header{}, unexpected(err)
	}
	switch command {
	case 0x20: // LOCAL: whatever the family
		return Header{Local: true}, nil
	case 0x21: // PROXY
		return parseAddresses(family, rest)
	}
	return Header{}, fmt.Errorf("%w: version and command %#x", ErrMalformed, command)
}

// parseAddresses reads the addresses of version 2.
func parseAddresses(family byte, b []byte) (Header, error) {
	size := 0
	switch family {
	case 0x11: // TCP over IPv4
		size = 4
	case 0x21: // TCP over IPv6
		size = 16
	default: // the balancer does not say, or it is no TCP
		return Header{Local: true}, nil
	}
	if len(b) < 2*size+4 {
		return Header{}, fmt.Errorf("%w: too short for its addresses", ErrMalformed)
	}
	address := func(at, port int) netip.AddrPort {
		a, _ := netip.AddrFromSlice(b[at : at+size])
		return netip.AddrPortFrom(a.Unmap(), binary.BigEndian.Uint16(b[port:]))
	}
	return Header{Source: address(0, 2*size), Destination: address(size, 2*size+2)}, nil
}

// unexpected is for the end of the input, which is none within a header.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
