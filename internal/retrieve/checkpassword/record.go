package checkpassword

import (
	"bytes"
	"fmt"
	"io"
)

// maxRecord is the longest record, in bytes. The interface has had it since 1996.
const maxRecord = 512

// A Record is what a program that has asked a client for its password knows:
//
//	record = name NUL password NUL [ stamp NUL [ more ] ]
//
// For APOP, which cannot be told from a password, password is the MD5 sum of stamp
// and password.
type Record struct{ Name, Password, Stamp string }

// ReadRecord reads a record up to the end of the file. ErrMisused says that it is
// none, ErrRefused that it is too long.
func ReadRecord(r io.Reader) (Record, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxRecord+1))
	switch {
	case err != nil:
		return Record{}, fmt.Errorf("unable to read descriptor 3: %w", err)
	case len(text) > maxRecord:
		return Record{}, fmt.Errorf("more than %d bytes on descriptor 3: %w", maxRecord, ErrRefused)
	}
	fields := bytes.SplitN(text, []byte{0}, 4)
	if len(fields) < 3 {
		return Record{}, fmt.Errorf("no name and password on descriptor 3: %w", ErrMisused)
	}
	return Record{string(fields[0]), string(fields[1]), string(fields[2])}, nil
}
