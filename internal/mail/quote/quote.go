// Package quote writes the local part of an address so that both RFC 821 and
// RFC 822 read it back as it was. As little as possible is quoted: a local part
// of atoms and single dots stays as it is; any other becomes a quoted-string,
// in which CR, LF, " and \ have a backslash before them.
//
// An internal address (envelopes(5)) is a local part, then, if there is an @,
// the last one separates the host. The host is never quoted.
package quote

import "strings"

// Local quotes a local part if it needs to be.
func Local(local string) string {
	if !Needed(local) {
		return local
	}
	var b strings.Builder
	b.Grow(len(local) + 2)
	b.WriteByte('"')
	for i := 0; i < len(local); i++ {
		switch local[i] {
		case '\r', '\n', '"', '\\':
			b.WriteByte('\\')
		}
		b.WriteByte(local[i])
	}
	b.WriteByte('"')
	return b.String()
}

// Address quotes the local part of an address if it needs to be. The empty
// address stays empty.
func Address(address string) string {
	if address == "" {
		return ""
	}
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return Local(address)
	}
	return Local(address[:at]) + address[at:]
}

// OneLine makes of a text with an address in it, whatever bytes that has, a part of one
// line: a CR or LF becomes an underscore. A CR counts, since qmail-remote makes a line
// end of it, like other programs: it could begin a header field, or end a header.
func OneLine(text string) string { return breaks.Replace(text) }

var breaks = strings.NewReplacer("\n", "_", "\r", "_")

// Needed tells whether a local part can only be written as a quoted-string: it
// is empty, has a byte that is no atom character, or a dot that is not between
// two atoms.
func Needed(local string) bool {
	if local == "" || local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, "..") {
		return true
	}
	for i := 0; i < len(local); i++ {
		if !atomOrDot(local[i]) {
			return true
		}
	}
	return false
}

// atomOrDot holds for printable ASCII that is no special of RFC 822, and for
// the dot.
func atomOrDot(c byte) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune(`"(),:;<>@[\]`, rune(c))
}
