// Package account looks up users and groups in /etc/passwd and /etc/group.
//
// The accounts of the mail system itself (qmailq and the rest) are looked up
// here at start, so that a goqmail built on one machine runs on another. No
// name service is asked: a directory that is down must not stop the mail.
// Addresses of people are looked up by qmail-getpw, which does ask.
//
// The files are colon-separated lines, passwd(5) and group(5). Lines that are
// not well formed are passed over.
package account

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// The files, as every system has them.
const (
	PasswdFile = "/etc/passwd"
	GroupFile  = "/etc/group"
)

// ErrUnknown says that there is no such user or group.
var ErrUnknown = errors.New("unknown")

// A User is a line of the password file.
type User struct {
	Name     string
	UID, GID uint32
	Home     string
	Shell    string
}

// ParseUser reads a line of a password file.
func ParseUser(line string) (User, bool) {
	f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
	if len(f) < 7 || f[0] == "" {
		return User{}, false
	}
	uid, err1 := strconv.ParseUint(f[2], 10, 32)
	gid, err2 := strconv.ParseUint(f[3], 10, 32)
	if err1 != nil || err2 != nil {
		return User{}, false
	}
	return User{Name: f[0], UID: uint32(uid), GID: uint32(gid), Home: f[5], Shell: f[6]}, true
}

// LookupUser finds a user by name. The error is ErrUnknown where the file has
// no such user.
func LookupUser(name string) (User, error) {
	var found User
	err := Each(PasswdFile, func(line string) bool {
		u, ok := ParseUser(line)
		if ok && u.Name == name {
			found = u
			return true
		}
		return false
	})
	if err != nil {
		return User{}, fmt.Errorf("user %s: %w", name, err)
	}
	return found, nil
}

// LookupUID finds a user by number.
func LookupUID(uid uint32) (User, error) {
	var found User
	err := Each(PasswdFile, func(line string) bool {
		u, ok := ParseUser(line)
		if ok && u.UID == uid {
			found = u
			return true
		}
		return false
	})
	if err != nil {
		return User{}, fmt.Errorf("user number %d: %w", uid, err)
	}
	return found, nil
}

// LookupGroup finds the number of a group by name.
func LookupGroup(name string) (gid uint32, err error) {
	err = Each(GroupFile, func(line string) bool {
		f := strings.Split(line, ":")
		if len(f) < 3 || f[0] != name {
			return false
		}
		n, err := strconv.ParseUint(f[2], 10, 32)
		gid = uint32(n)
		return err == nil
	})
	if err != nil {
		return 0, fmt.Errorf("group %s: %w", name, err)
	}
	return gid, nil
}

// IsMember tells whether a user is named as a member in the line of a group. The group
// that is a user's own by the password file does not count.
func IsMember(uid, group uint32) (bool, error) {
	user, err := LookupUID(uid)
	if err == nil {
		err = Each(GroupFile, func(line string) bool { return names(line, group, user.Name) })
	}
	if errors.Is(err, ErrUnknown) {
		return false, nil
	}
	return err == nil, err
}

// names tells whether a line of a group file is that of a group and has a member.
func names(line string, group uint32, member string) bool {
	f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
	if len(f) < 4 {
		return false
	}
	n, err := strconv.ParseUint(f[2], 10, 32)
	return err == nil && uint32(n) == group && slices.Contains(strings.Split(f[3], ","), member)
}

// Each gives the lines of a file to match until it says that it has what it
// looked for. A line too long to be one of an account is passed over. The error is
// ErrUnknown where match was content with none.
func Each(file string, match func(line string) bool) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	err = EachIn(f, match)
	if err != nil && err != ErrUnknown {
		err = fmt.Errorf("unable to read %s: %w", file, err)
	}
	return err
}

// EachIn is Each for an open file.
func EachIn(r io.Reader, match func(line string) bool) error {
	b := bufio.NewReaderSize(r, 16<<10)
	for {
		line, err := b.ReadSlice('\n')
		for err == bufio.ErrBufferFull {
			line = nil
			_, err = b.ReadSlice('\n')
		}
		if match(string(line)) {
			return nil
		}
		if err == io.EOF {
			return ErrUnknown
		}
		if err != nil {
			return err
		}
	}
}
