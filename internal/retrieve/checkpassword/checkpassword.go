// Package checkpassword verifies a name and a password and finds out what user to
// become (qmail-checkpassword(8)). It is the "checkpassword" that qmail-popup and
// others run; any other program with the same interface does instead of it
// (http://cr.yp.to/checkpwd/interface.html).
//
// There are two kinds of users. Those in a file of mailboxes, users/passwd, come
// first: a name that is there is never looked for among the system's accounts,
// which come second and have their secrets in /etc/shadow.
//
// Whoever guesses shall not learn which names exist: a name without an entry, or
// with one that nobody can use, costs the work of another entry of the same file.
package checkpassword

import (
	"errors"
	"fmt"
	"os"
	"time"

	"goqmail/internal/host/account"
)

// What can be said to whoever has asked; any other error is a temporary one.
var (
	ErrRefused = errors.New("refused") // no such user, or another password
	ErrMisused = errors.New("misused") // not called as a checkpassword is
)

// A Login is who has given the right password.
type Login struct {
	Name     string
	UID, GID uint32
	Home     string // absolute
	Shell    string
}

// Passwords are the files that are looked at.
type Passwords struct {
	Mailboxes string // path of the file of mailboxes; it may be missing
	Owner     uint32 // who must own that: root
	Shadow    string // path of the secrets of the system's accounts; empty: not looked at
	Account   func(name string) (account.User, error)
	Now       func() time.Time
}

// Check verifies a record. An error that is ErrRefused and nothing else says what
// a guesser may know; one that has more to say is for the admin.
func (p Passwords) Check(r Record) (Login, error) {
	e, err := p.find(r.Name)
	if err != nil && err != account.ErrUnknown {
		return Login{}, err
	}
	s := e.secret
	if !s.usable() {
		s = e.decoy
	}
	right, unusable := s.verify(r) // first of all, whatever else is known
	switch {
	case err != nil:
		return Login{}, ErrRefused
	case !e.secret.usable() || unusable != nil:
		return Login{}, fmt.Errorf("account is locked or has no usable password: %w", ErrRefused)
	case !right:
		return Login{}, ErrRefused
	case e.refusal != "":
		return Login{}, fmt.Errorf("%s: %w", e.refusal, ErrRefused)
	case e.login.UID == 0 || e.login.GID == 0:
		return Login{}, fmt.Errorf("user or group number is 0: %w", ErrRefused)
	}
	return e.login, nil
}

func (p Passwords) find(name string) (entry, error) {
	e, err := p.findMailbox(name)
	if err != account.ErrUnknown || p.Shadow == "" {
		return e, err
	}
	mailboxes := e
	e, err = p.findAccount(name)
	if e.decoy == "" {
		e.decoy = mailboxes.decoy
	}
	return e, err
}

// An entry is what is known of a name.
type entry struct {
	name    string
	secret  secret
	decoy   secret // costs what that of a user in the same file does
	refusal string // why nobody can log in, whatever the password
	login   Login
}

// search goes through a file until match has found an entry. Where it finds none
// the error is account.ErrUnknown, and the entry has a decoy.
func search(f *os.File, match func(line string) (e entry, found bool)) (entry, error) {
	var result entry
	var decoy secret
	known := false
	err := account.EachIn(f, func(line string) bool {
		e, found := match(line)
		if found && !known {
			result, known = e, true
		}
		if decoy == "" && e.secret.usable() {
			decoy = e.secret
		}
		return known && decoy != ""
	})
	if err != nil && err != account.ErrUnknown {
		return entry{}, fmt.Errorf("unable to read %s: %w", f.Name(), err)
	}
	result.decoy = decoy
	if !known {
		return result, account.ErrUnknown
	}
	return result, nil
}
