package checkpassword

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"goqmail/internal/host/account"
)

// findAccount looks for an account of the system. No name service is asked. The
// file of secrets is shadow(5):
//
//	name : secret : changed : minimum : maximum : warn : inactive : expires : ...
//
// where the last five count days. An account is refused where expires is past, and
// where the password would have to be changed first, which POP3 has no way to do:
// changed is 0, or more than maximum days ago.
func (p Passwords) findAccount(name string) (entry, error) {
	f, err := os.Open(p.Shadow)
	if err != nil {
		return entry{}, err
	}
	defer f.Close()
	e, err := search(f, func(line string) (entry, bool) {
		e := parseShadow(line, p.Now())
		return e, e.name != "" && e.name == name
	})
	if err != nil {
		return e, err
	}
	u, err := p.Account(name)
	if errors.Is(err, account.ErrUnknown) {
		return e, account.ErrUnknown
	}
	if err != nil {
		return entry{}, err
	}
	e.login = Login{Name: u.Name, UID: u.UID, GID: u.GID, Home: u.Home, Shell: u.Shell}
	return e, nil
}

// parseShadow reads a line. The name is empty where it is none.
func parseShadow(line string, now time.Time) entry {
	f := strings.Split(strings.TrimRight(line, "\n"), ":")
	if len(f) < 8 {
		return entry{}
	}
	e := entry{name: f[0], secret: secret(f[1])}
	if strings.HasPrefix(f[1], "{") {
		e.secret = "*" // the words of other files mean nothing here
	}
	const day = 24 * 60 * 60
	today := now.Unix() / day
	changed, ok1 := days(f[2])
	maximum, ok2 := days(f[4])
	expires, ok3 := days(f[7])
	switch {
	case !ok1 || !ok2 || !ok3:
		e.refusal = "malformed entry"
	case expires >= 0 && today >= expires:
		e.refusal = "account has expired"
	case changed == 0:
		e.refusal = "password must be changed"
	case changed > 0 && maximum >= 0 && today-changed > maximum:
		e.refusal = "password has expired"
	}
	return e
}

// days reads a number of days. An empty field is -1: no such limit.
func days(field string) (n int64, ok bool) {
	if field == "" {
		return -1, true
	}
	n, err := strconv.ParseInt(field, 10, 32)
	if err != nil {
		return 0, false
	}
	return max(n, -1), true
}
