// Package users knows who owns a local address: the text in users/assign
// (qmail-users(5)), and users/cdb, which qmail-newu makes of it for qmail-lspawn.
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
// same address the first counts. What follows the last colon is not read.
//
// In users/cdb the key of =local is "!local NUL", that of +loc is "!loc", both in
// lower case; the data is user, uid, gid, home, dash, ext with a NUL between them.
// The key "" has the last characters of all beginnings, so that the search tries
// only those lengths that can be there.
//
// An assignment whose numbers are none, as the file's author may have written it,
// is an error (ErrFormat) of the addresses that it is for, and of no others.
package users

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// An Assignment says who owns an address, and what qmail-local is told.
type Assignment struct {
	User     string
	UID, GID uint32
	Home     string
	Dash     string
	Ext      string
}

// ErrFormat says that users/assign, users/cdb or an assignment is malformed.
var ErrFormat = errors.New("bad format")

// fields is how many fields an assignment has.
const fields = 6

// Append adds an assignment to b in the form that Parse reads: the fields with a
// NUL behind each. The fields must have none inside.
func (a Assignment) Append(b []byte) []byte {
	for _, field := range [fields]string{
		a.User, strconv.FormatUint(uint64(a.UID), 10), strconv.FormatUint(uint64(a.GID), 10), a.Home, a.Dash, a.Ext,
	} {
		b = append(append(b, field...), 0)
	}
	return b
}

// Parse reads an assignment as qmail-getpw prints it: six fields with a NUL behind
// each. What follows them does not count. The numbers must be those of a user and
// a group, which -1 is not; number 0 is for the caller to refuse.
func Parse(text string) (Assignment, error) {
	var f [fields]string
	for i := range f {
		var ended bool
		if f[i], text, ended = strings.Cut(text, "\x00"); !ended {
			return Assignment{}, fmt.Errorf("%w: an assignment of less than %d fields", ErrFormat, fields)
		}
	}
	uid, err1 := strconv.ParseUint(f[1], 10, 32)
	gid, err2 := strconv.ParseUint(f[2], 10, 32)
	if err1 != nil || err2 != nil || uid == math.MaxUint32 || gid == math.MaxUint32 {
		return Assignment{}, fmt.Errorf("%w: user number %q, group number %q", ErrFormat, f[1], f[2])
	}
	return Assignment{User: f[0], UID: uint32(uid), GID: uint32(gid), Home: f[3], Dash: f[4], Ext: f[5]}, nil
}
