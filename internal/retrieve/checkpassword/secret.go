package checkpassword

import (
	"crypto/md5"
	"crypto/subtle"
	"encoding/hex"
	"strings"

	"goqmail/internal/host/crypt"
	"goqmail/internal/mail/fold"
)

// A secret is what a password file has in its second field:
//
//	$...              a hash of crypt(3); see package crypt
//	{CRYPT}$...       the same, as Dovecot and others write it; the word may also
//	                  be SHA512-CRYPT and the like, the hash says what it is
//	{PLAIN}...        the password itself; APOP works only with this
//	anything else     no password is right: the account is locked
type secret string

// plain tells whether a secret is the password itself. The words are those of
// Dovecot.
func (s secret) plain() (password string, ok bool) {
	for _, scheme := range []string{"{PLAIN}", "{CLEAR}", "{CLEARTEXT}"} {
		if len(s) >= len(scheme) && fold.Equal(string(s[:len(scheme)]), scheme) {
			return string(s[len(scheme):]), true
		}
	}
	return "", false
}

// hash is the secret without the word that says what it is.
func (s secret) hash() string {
	if scheme, hash, found := strings.Cut(string(s), "}"); found && strings.HasPrefix(scheme, "{") && strings.HasSuffix(fold.Lower(scheme), "crypt") {
		return hash
	}
	return string(s)
}

// usable tells whether there can be a password for it.
func (s secret) usable() bool {
	password, plain := s.plain()
	return plain && password != "" || !plain && crypt.Known(s.hash())
}

// verify tells whether the record has the password. It takes as long whether it
// has or not. The error is crypt.ErrUnusable.
func (s secret) verify(r Record) (bool, error) {
	password, plain := s.plain()
	if !plain {
		return crypt.Verify(s.hash(), r.Password)
	}
	sum := md5.Sum([]byte(r.Stamp + password))
	apop := subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(fold.Lower(r.Password)))
	same := subtle.ConstantTimeCompare([]byte(password), []byte(r.Password))
	return password != "" && (same == 1 || r.Stamp != "" && apop == 1), nil
}
