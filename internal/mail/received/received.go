// Package received writes the Received field of a message that came over the
// network:
//
//	Received: from relay.example (HELO relay) (7@192.0.2.48)
//	  by mx.example with SMTP; 26 Sep 1995 04:46:54 -0000
//
// Everything in it but the protocol is in the hands of the client, so every
// byte that is not a letter, a digit or one of . @ % + / = : - [ ] becomes a ?.
// The field is one of two lines, each ended by LF.
package received

import (
	"strings"
	"time"

	"goqmail/internal/mail/date822"
)

// Peer is what is known of the client. What is nil is left out of the
// field.
type Peer struct {
	RemoteHost string  // TCPREMOTEHOST, or "unknown"
	RemoteIP   string  // TCPREMOTEIP, or "unknown"
	RemoteInfo *string // TCPREMOTEINFO, if it is set
	Local      string  // TCPLOCALHOST, else TCPLOCALIP, else "unknown"
	Helo       *string // what the client called itself, where that is told
}

// Field returns the Received field.
func Field(p Peer, protocol string, now time.Time) string {
	var b strings.Builder
	b.WriteString("Received: from " + safe(p.RemoteHost))
	if p.Helo != nil {
		b.WriteString(" (HELO " + safe(*p.Helo) + ")")
	}
	b.WriteString(" (")
	if p.RemoteInfo != nil {
		b.WriteString(safe(*p.RemoteInfo) + "@")
	}
	b.WriteString(safe(p.RemoteIP) + ")\n  by " + safe(p.Local) + " with " + protocol + "; " + date822.Format(now) + "\n")
	return b.String()
}

func safe(s string) string {
	b := []byte(s)
	for i, c := range b {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte(".@%+/=:-[]", c) >= 0:
		default:
			b[i] = '?'
		}
	}
	return string(b)
}
