package smtp

import (
	"bytes"

	"goqmail/internal/mail/fold"
)

// A hopCount counts the hops that a message has behind it: the lines of its
// header that begin with "received" or "delivered". The header goes up to the
// first empty line. Lines are looked at as they are on the wire, dots and all, and
// only their beginnings are kept.
type hopCount struct {
	n     int
	start []byte // of the current line
	body  bool
}

const delivered = "delivered"

// count takes the next bytes of the text.
func (h *hopCount) count(p []byte) {
	for len(p) > 0 && !h.body {
		line, rest, whole := bytes.Cut(p, []byte("\n"))
		h.start = append(h.start, line[:min(len(line), len(delivered)-len(h.start))]...)
		if whole {
			h.line(string(h.start))
			h.start = h.start[:0]
		}
		p = rest
	}
}

func (h *hopCount) line(start string) {
	switch {
	case start == "\r":
		h.body = true
	case fold.HasPrefix(start, "received"), fold.HasPrefix(start, delivered):
		h.n++
	}
}
