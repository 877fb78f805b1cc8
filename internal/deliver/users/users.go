// Package users finds out who owns a local address: by users/cdb, which
// qmail-newu makes of users/assign (qmail-users(5)), and by what qmail-getpw
// prints, which has the same form.
//
// A line of users/assign is one of
//
//	=local:user:uid:gid:home:dash:ext:         the address local
//	+loc:user:uid:gid:home:dash:pre:           all addresses that begin with loc
//	.                                          the end; what follows is not read
//
// An exact address wins over a beginning, and a longer beginning over a shorter
// one. The extension for a beginning is pre and then what follows loc in the
// address. Local parts are compared without regard to case. Of two lines for the
// same address the first counts.
//
// In users/cdb the key of =local is "!local NUL", that of +loc is "!loc", both in
// lower case; the data is user, uid, gid, home, dash, ext with a NUL between them.
// The key "" has the last characters of all beginnings, so that the search tries
// only those lengths that can be there.
package users

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strconv"
	"strings"

	"goqmail/internal/host/cdb"
	"goqmail/internal/mail/fold"
)

// An Assignment says who owns an address and what qmail-local is told.
type Assignment struct {
	User     string
	UID, GID uint32
	Home     string
	Dash     string
	Ext      string
}

// ErrFormat says that users/assign or an assignment is malformed.
var ErrFormat = errors.New("bad format")

// Lookup finds a local part in users/cdb. Where there is no such file, nothing
// is found.
func Lookup(path, local string) (Assignment, bool, error) {
	db, err := cdb.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Assignment{}, false, nil
	}
	if err != nil {
		return Assignment{}, false, err
	}
	defer db.Close()
	return find(db, local)
}

func find(db *cdb.Reader, local string) (Assignment, bool, error) {
	wild, found, err := db.Find("")
	if err == nil && !found {
		err = fmt.Errorf("%w: users/cdb has no list of last characters", ErrFormat)
	}
	if err != nil {
		return Assignment{}, false, err
	}
	key := "!" + fold.Lower(local)
	data, found, err := db.Find(key + "\x00")
	if err != nil {
		return Assignment{}, false, err
	}
	rest := ""
	for n := len(key); !found && n > 0; n-- {
		if n > 1 && bytes.IndexByte(wild, key[n-1]) < 0 {
			continue
		}
		if data, found, err = db.Find(key[:n]); err != nil {
			return Assignment{}, false, err
		}
		rest = local[n-1:]
	}
	if !found {
		return Assignment{}, false, nil
	}
	a, err := Parse(string(data))
	a.Ext += rest
	return a, true, err
}

// Parse reads an assignment as users/cdb has it, and as qmail-getpw prints it:
// fields with a NUL behind each; behind the last there may be none.
func Parse(data string) (Assignment, error) {
	f := strings.Split(strings.TrimSuffix(data, "\x00"), "\x00")
	if len(f) != 6 || f[0] == "" || f[3] == "" {
		if len(f) != 5 || !strings.HasSuffix(data, "\x00\x00") { // an empty ext, whose NUL was cut
			return Assignment{}, fmt.Errorf("%w: an assignment of %d fields", ErrFormat, len(f))
		}
		f = append(f, "")
	}
	uid, err1 := strconv.ParseUint(f[1], 10, 32)
	gid, err2 := strconv.ParseUint(f[2], 10, 32)
	if err1 != nil || err2 != nil || uid == math.MaxUint32 || gid == math.MaxUint32 {
		return Assignment{}, fmt.Errorf("%w: user number %q, group number %q", ErrFormat, f[1], f[2])
	}
	return Assignment{User: f[0], UID: uint32(uid), GID: uint32(gid), Home: f[3], Dash: f[4], Ext: f[5]}, nil
}

// MaxLine is the longest line of users/assign, in bytes.
const MaxLine = 64 << 10

// Compile adds the lines of users/assign to a database. The error is ErrFormat
// where a line is malformed or the last is not ".".
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
			return err
		}
		kind, name, data, ok := splitLine(string(line[:len(line)-1]))
		if !ok {
			return ErrFormat
		}
		key := "!" + fold.Lower(name)
		if kind != '+' {
			key += "\x00"
		} else if name != "" && bytes.IndexByte(wild, name[len(name)-1]) < 0 {
			wild = append(wild, name[len(name)-1])
		}
		if err := w.Add(key, data); err != nil {
			return err
		}
	}
}

// splitLine takes a line apart: what it begins with, the local part, and the six
// fields with a NUL between them. What follows the sixth colon is not looked at.
func splitLine(line string) (kind byte, name string, data []byte, ok bool) {
	name, rest, ok := strings.Cut(line, ":")
	if !ok || name == "" || strings.IndexByte(line, 0) >= 0 {
		return 0, "", nil, false
	}
	fields := strings.SplitN(rest, ":", 7)
	if len(fields) < 7 {
		return 0, "", nil, false
	}
	return name[0], name[1:], []byte(strings.Join(fields[:6], "\x00")), true
}
