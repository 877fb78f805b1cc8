// Package getpw finds the user who owns a local address by the accounts of the
// machine, for qmail-getpw (qmail-getpw(8)).
//
// A user owns the address that is his name, and those that are his name, a dash and
// anything. Of several users whose names fit, the one with the longest name owns the
// address; all others are alias's. Names of accounts are in lower case; those with
// an upper case letter, or of more than 31 bytes, own nothing.
//
// Not every account is a user: one with number 0 is not, nor one whose home is not
// there or belongs to somebody else. Whether a home is there can be impossible to
// say for the moment (a file server is down), and so can whether there is an
// account (a directory service is down). Then the answer is an error, and mail
// waits: it would go to alias otherwise, or bounce.
package getpw

import (
	"errors"
	"fmt"

	"goqmail/internal/deliver/exitcode"
	"goqmail/internal/host/account"
	"goqmail/internal/host/users"
	"goqmail/internal/mail/fold"
	"goqmail/internal/mail/outcome"

	"golang.org/x/sys/unix"
)

const (
	// MaxName is the longest name of an account that owns addresses, in bytes.
	MaxName = 31
	// Alias is the user who owns what nobody else does.
	Alias = "alias"

	separator = '-'
)

// Accounts looks up accounts.
type Accounts interface {
	// User returns an account by name. The error is account.ErrUnknown where
	// it is certain that there is none.
	User(name string) (account.User, error)
}

// Find returns the assignment of a local part. An error that is an
// *outcome.Status carries the exit code of qmail-getpw.
func Find(accounts Accounts, local string) (users.Assignment, error) {
	for n := len(local); n > 0; n-- {
		if n > MaxName || (n < len(local) && local[n] != separator) {
			continue
		}
		u, err := accounts.User(fold.Lower(local[:n]))
		if errors.Is(err, account.ErrUnknown) {
			continue
		}
		if err != nil {
			return users.Assignment{}, err
		}
		owns, err := ownsHome(u)
		switch {
		case err != nil:
			return users.Assignment{}, &outcome.Status{Code: exitcode.NFS}
		case !owns:
		case n == len(local):
			return assignment(u, "", ""), nil
		default:
			return assignment(u, "-", local[n+1:]), nil
		}
	}
	alias, err := accounts.User(Alias)
	if errors.Is(err, account.ErrUnknown) {
		return users.Assignment{}, &outcome.Status{Code: exitcode.NoAlias}
	}
	if err != nil {
		return users.Assignment{}, err
	}
	return assignment(alias, "-", local), nil
}

func assignment(u account.User, dash, ext string) users.Assignment {
	return users.Assignment{User: u.Name, UID: u.UID, GID: u.GID, Home: u.Home, Dash: dash, Ext: ext}
}

// ownsHome tells whether an account is a user: not root, and the owner of its home.
func ownsHome(u account.User) (bool, error) {
	if u.UID == 0 {
		return false, nil
	}
	var st unix.Stat_t
	switch err := unix.Stat(u.Home, &st); err {
	case nil:
		return st.Uid == u.UID, nil
	case unix.ENOENT, unix.ENOTDIR, unix.EACCES, unix.EPERM, unix.ELOOP, unix.ENAMETOOLONG, unix.EINVAL:
		return false, nil
	default:
		return false, fmt.Errorf("unable to look at %s: %w", u.Home, err)
	}
}
