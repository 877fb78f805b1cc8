package smtpd

import (
	"errors"
	"strings"

	"goqmail/internal/host/ipme"
)

// maxAddress is the longest address that a client may give, in bytes.
const maxAddress = 899

var errSyntax = errors.New("address too long")

// address reads the address in the argument of MAIL or RCPT. Where its host is
// an IP address of this machine in brackets, localiphost takes its place.
func (s *session) address(argument string) (string, error) {
	address := parsePath(argument)
	at := strings.LastIndexByte(address, '@')
	if at >= 0 && s.LocalIPHost != nil {
		if ip, ok := ipme.ParseLiteral(address[at+1:]); ok {
			here, err := ipme.Addresses()
			if err != nil {
				return "", &fatal{"421 unable to figure out my IP addresses (#4.3.0)", err}
			}
			if here.Has(ip) {
				address = address[:at+1] + *s.LocalIPHost
			}
		}
	}
	if len(address) > maxAddress {
		return "", errSyntax
	}
	return address, nil
}

// parsePath takes the address out of an argument such as FROM:<@route:box@host>
// SIZE=5. Clients write many things there, so any text gives an address:
//
//   - It begins behind the first <, or else behind the first colon and the spaces
//     there. Without either it is empty.
//   - If it begins with @, that is a source route, up to and with a colon.
//   - It goes up to a >, or, where there was no <, to a space; these do not end
//     it behind a backslash or within quotes. What follows, such as the
//     parameters of ESMTP, is not looked at.
//   - Quotes are dropped, and so is a backslash that makes the next byte a plain
//     one. What is left is the address in the form that envelopes have.
func parsePath(argument string) string {
	end := byte('>')
	_, path, found := strings.Cut(argument, "<")
	if !found {
		end = ' '
		_, path, _ = strings.Cut(argument, ":")
		path = strings.TrimLeft(path, " ")
	}
	if strings.HasPrefix(path, "@") {
		_, path, _ = strings.Cut(path, ":")
	}
	return unquote(path, end)
}

func unquote(path string, end byte) string {
	var b strings.Builder
	quoted, escaped := false, false
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case escaped:
			escaped = false
			b.WriteByte(c)
		case c == end && !quoted:
			return b.String()
		case c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
