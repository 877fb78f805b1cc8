package users

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"goqmail/internal/host/cdb"
	"goqmail/internal/mail/fold"
)

// MaxLine is the longest line of users/assign, in bytes.
const MaxLine = 64 << 10

// ErrRead says that users/assign could not be read to its end.
var ErrRead = errors.New("unable to read")

// Compile adds the lines of users/assign to a database. The error is ErrFormat
// where a line is malformed or the last is not ".", ErrRead where they cannot be
// read, or that of the database.
func Compile(assign io.Reader, w *cdb.Writer) error {
	r := bufio.NewReaderSize(assign, MaxLine)
	var wild []byte
	for {
		line, err := r.ReadSlice('\n')
		switch {
		case len(line) > 0 && line[0] == '.':
			return w.Add("", wild)
		case err == io.EOF, err == bufio.ErrBufferFull:
			return ErrFormat
		case err != nil:
			return fmt.Errorf("%w: %w", ErrRead, err)
		}
		kind, local, data, ok := splitLine(string(line))
		if !ok {
			return ErrFormat
		}
		local = fold.Lower(local)
		key := "!" + local
		if kind != '+' {
			key += "\x00"
		} else if local != "" && bytes.IndexByte(wild, local[len(local)-1]) < 0 {
			wild = append(wild, local[len(local)-1])
		}
		if err := w.Add(key, data); err != nil {
			return err
		}
	}
}

// splitLine takes a line apart: the letter that it begins with, the local part,
// and the six fields as the database has them. Any letter but + means the same as
// =, as it always did.
func splitLine(line string) (kind byte, local string, data []byte, ok bool) {
	name, rest, _ := strings.Cut(line, ":")
	f := strings.SplitN(rest, ":", fields+1)
	if name == "" || len(f) <= fields || strings.IndexByte(line, 0) >= 0 {
		return 0, "", nil, false
	}
	return name[0], name[1:], []byte(strings.Join(f[:fields], "\x00")), true
}
