package spool

import (
	"bufio"
	"io"
)

// Addresses keeps the recipients of a message: qmail-queue reads them behind the
// message, so whoever learns of them earlier has to keep them. Each is followed by a
// NUL, so none may have one.
type Addresses struct {
	spool *Spool
	count uint64
}

// NewAddresses makes an empty list, whose file is made in a directory when it is
// needed.
func NewAddresses(dir string) *Addresses { return &Addresses{spool: New(dir)} }

// Add adds an address, or nothing if there is an error.
func (a *Addresses) Add(address string) error {
	if _, err := a.spool.Write(append([]byte(address), 0)); err != nil {
		return err
	}
	a.count++
	return nil
}

// Count is how many there are.
func (a *Addresses) Count() uint64 { return a.count }

// Size is what they take, in bytes.
func (a *Addresses) Size() int64 { return a.spool.Size() }

// Each gives out the addresses in order.
func (a *Addresses) Each(to func(address string)) error {
	b := bufio.NewReader(a.spool.Reader())
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

// Close gives up the space.
func (a *Addresses) Close() { a.spool.Close() }
