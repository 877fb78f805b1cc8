// Package crypt verifies passwords against the hashes that crypt(3) makes, as they
// stand in /etc/shadow:
//
//	$y$params$salt$hash              yescrypt, the default of Debian and others
//	$6$[rounds=N$]salt$hash          sha512crypt
//	$5$[rounds=N$]salt$hash          sha256crypt
//	$2a$ $2b$ $2y$ cost $ salt hash  bcrypt
//	$1$salt$hash                     md5crypt, in files from long ago
//
// Other schemes are unknown; what they are is a matter of a few lines here. The
// arithmetic is that of two libraries, which no other package of ours imports
// (docs/design/dependencies.md).
package crypt

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"hash"
	"strconv"
	"strings"

	sha2 "github.com/go-crypt/x/crypt"
	"github.com/go-crypt/x/yescrypt"
	"golang.org/x/crypto/bcrypt"
)

// ErrUnusable says that a hash is of no scheme that is known here, or malformed.
// No password is right for it.
var ErrUnusable = errors.New("no usable password hash")

// scheme finds what verifies a hash.
func scheme(hash string) func(hash, password string) (bool, error) {
	for prefix, verify := range map[string]func(hash, password string) (bool, error){
		"$y$":  verifyYescrypt,
		"$6$":  func(hash, password string) (bool, error) { return verifySHA(sha512.New, 86, hash, password) },
		"$5$":  func(hash, password string) (bool, error) { return verifySHA(sha256.New, 43, hash, password) },
		"$2a$": verifyBcrypt,
		"$2b$": verifyBcrypt,
		"$2y$": verifyBcrypt,
		"$1$":  verifyMD5,
	} {
		if strings.HasPrefix(hash, prefix) {
			return verify
		}
	}
	return nil
}

// Known tells whether a hash is of a known scheme.
func Known(hash string) bool { return scheme(hash) != nil }

// Verify tells whether a password is the one that the hash was made from. The time
// that it takes does not depend on how much of it is right. The error is
// ErrUnusable.
func Verify(hash, password string) (bool, error) {
	verify := scheme(hash)
	if verify == nil {
		return false, ErrUnusable
	}
	return verify(hash, password)
}

func verifyYescrypt(hash, password string) (bool, error) {
	made, err := yescrypt.Hash([]byte(password), []byte(hash))
	if err != nil || len(made) != len(hash) {
		return false, ErrUnusable
	}
	return equal(string(made), hash), nil
}

func verifyBcrypt(hash, password string) (bool, error) {
	// What bcrypt does not look at must not make it refuse.
	const most = 72
	switch err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)[:min(len(password), most)]); {
	case err == nil:
		return true, nil
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return false, nil
	}
	return false, ErrUnusable
}

// The rounds that a hash of the SHA schemes may ask for; what is outside of them is
// refused by crypt(3) too.
const (
	defaultRounds = 5000
	minRounds     = 1000
	maxRounds     = 999_999_999
)

// verifySHA verifies a hash of so many characters; the function is what it is made
// with.
func verifySHA(function func() hash.Hash, size int, hash, password string) (bool, error) {
	salt, sum, ok := cutSum(hash[len("$6$"):])
	rounds := defaultRounds
	if text, found := strings.CutPrefix(salt, "rounds="); found {
		var number string
		number, salt, found = strings.Cut(text, "$")
		n, err := strconv.Atoi(number)
		if err != nil || !found || n < minRounds || n > maxRounds {
			return false, ErrUnusable
		}
		rounds = n
	}
	const longestSalt = 16
	if !ok || len(sum) != size || len(salt) > longestSalt || strings.Contains(salt, "$") {
		return false, ErrUnusable
	}
	return equal(string(sha2.KeySHACrypt(function, []byte(password), []byte(salt), rounds)), sum), nil
}

func verifyMD5(hash, password string) (bool, error) {
	salt, sum, ok := cutSum(hash[len("$1$"):])
	const longestSalt, size = 8, 22
	if !ok || len(sum) != size || len(salt) > longestSalt || strings.Contains(salt, "$") {
		return false, ErrUnusable
	}
	made := sha2.KeyMD5Crypt([]byte(password), []byte(salt))
	if i := bytes.LastIndexByte(made, '$'); i >= 0 {
		made = made[i+1:]
	}
	return equal(string(made), sum), nil
}

// cutSum separates what is behind the last dollar sign.
func cutSum(hash string) (before, sum string, ok bool) {
	i := strings.LastIndexByte(hash, '$')
	if i < 0 {
		return "", "", false
	}
	return hash[:i], hash[i+1:], true
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
