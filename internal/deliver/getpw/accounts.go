package getpw

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"goqmail/internal/host/account"
	"goqmail/internal/host/reread"
)

// maxPasswd is the largest password file, in bytes.
const maxPasswd = 64 << 20

// A Machine looks up accounts in the password file, and asks a directory for those
// that it lacks. It may be used by several goroutines.
type Machine struct {
	directory Accounts

	mu     sync.Mutex
	passwd reread.File[[]byte]
}

// NewMachine looks up accounts in a password file and a directory.
func NewMachine(passwd string, directory Accounts) *Machine {
	return &Machine{directory: directory, passwd: reread.File[[]byte]{Path: passwd, Make: reread.Text(maxPasswd)}}
}

// User returns an account by name.
func (m *Machine) User(name string) (account.User, error) {
	u, err := m.local(name)
	if errors.Is(err, account.ErrUnknown) {
		return m.directory.User(name)
	}
	return u, err
}

// local looks into the password file. Without one, nothing is certain.
func (m *Machine) local(name string) (account.User, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	text, exists, err := m.passwd.Get()
	if err == nil && !exists {
		err = fmt.Errorf("%s is missing", m.passwd.Path)
	}
	if err != nil {
		return account.User{}, err
	}
	return findUser(text, name)
}

// findUser returns the first account with a name in the text of a password file.
func findUser(text []byte, name string) (account.User, error) {
	start := []byte(name + ":")
	for len(text) > 0 {
		if bytes.HasPrefix(text, start) {
			line, _, _ := bytes.Cut(text, []byte{'\n'})
			if u, ok := account.ParseUser(string(line)); ok && u.Name == name {
				return u, nil
			}
		}
		i := bytes.Index(text, append([]byte{'\n'}, start...))
		if i < 0 {
			break
		}
		text = text[i+1:]
	}
	return account.User{}, account.ErrUnknown
}
