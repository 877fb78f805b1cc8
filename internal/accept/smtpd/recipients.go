package smtpd

import "bytes"

// maxEnvelope bounds the memory that the recipients of one message take, in
// bytes. They have to be kept until DATA, since qmail-queue reads them behind the
// message. There is room for a million of common length; a client that has more
// gets a 452 for the rest, and is to send those with another copy (RFC 5321,
// section 4.5.3.1.10).
const maxEnvelope = 24 << 20

// Recipients holds the recipients of a message, each ended by a NUL, in pieces
// that never move: adding one costs its length, however many there are.
type recipients struct {
	pieces [][]byte
	count  uint64
}

const pieceSize = 32 << 10

// add adds a recipient, if there is room for it.
func (r *recipients) add(address string) bool {
	last := len(r.pieces) - 1
	if last < 0 || len(r.pieces[last])+len(address)+1 > cap(r.pieces[last]) {
		if len(r.pieces) == maxEnvelope/pieceSize {
			return false
		}
		r.pieces = append(r.pieces, make([]byte, 0, max(pieceSize, len(address)+1)))
		last++
	}
	r.pieces[last] = append(append(r.pieces[last], address...), 0)
	r.count++
	return true
}

// each gives out the recipients in order.
func (r *recipients) each(to func(address string)) {
	for _, piece := range r.pieces {
		for len(piece) > 0 {
			address, rest, _ := bytes.Cut(piece, []byte{0})
			to(string(address))
			piece = rest
		}
	}
}
