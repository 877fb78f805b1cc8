package smtpd

import (
	"bufio"
	"io"

	"goqmail/internal/accept/spool"
)

// maxEnvelope bounds what the recipients of one message take, in bytes: ten
// millions of common length. A client that has more gets a 452 for the rest, and is
// to send those with another copy (RFC 5321, section 4.5.3.1.10).
const maxEnvelope = 256 << 20

// Recipients holds the recipients of a message, each ended by a NUL. They have to
// be kept until DATA, since qmail-queue reads them behind the message.
type recipients struct {
	spool *spool.Spool
	count uint64
}

// add adds a recipient, if there is room for it.
func (r *recipients) add(address string) bool {
	if r.spool.Size() > maxEnvelope {
		return false
	}
	if _, err := r.spool.Write(append([]byte(address), 0)); err != nil {
		return false
	}
	r.count++
	return true
}

// each gives out the recipients in order.
func (r *recipients) each(to func(address string)) error {
	b := bufio.NewReader(r.spool.Reader())
	for {
		address, err := b.ReadString(0)
		switch err {
		case nil:
			to(address[:len(address)-1])
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}
