package smtpd

import "goqmail/internal/accept/spool"

// maxEnvelope bounds what the recipients of one message take, in bytes: ten
// millions of common length. A client that has more gets a 452 for the rest, and is
// to send those with another copy (RFC 5321, section 4.5.3.1.10).
const maxEnvelope = 256 << 20

// Recipients holds the recipients of a message until DATA.
type recipients struct{ *spool.Addresses }

// add adds a recipient, if there is room for it.
func (r recipients) add(address string) bool {
	return r.Size() <= maxEnvelope && r.Add(address) == nil
}
