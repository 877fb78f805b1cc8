package install

import "goqmail/internal/host/account"

// SystemAccounts are those in /etc/passwd and /etc/group, each looked up once.
type SystemAccounts struct {
	uids, gids map[string]uint32
}

// NewSystemAccounts returns accounts of which none has been looked up yet.
func NewSystemAccounts() *SystemAccounts {
	return &SystemAccounts{uids: map[string]uint32{}, gids: map[string]uint32{}}
}

// UID finds the number of a user.
func (a *SystemAccounts) UID(name string) (uint32, error) {
	if uid, ok := a.uids[name]; ok {
		return uid, nil
	}
	u, err := account.LookupUser(name)
	if err != nil {
		return 0, err
	}
	a.uids[name] = u.UID
	return u.UID, nil
}

// GID finds the number of a group.
func (a *SystemAccounts) GID(name string) (uint32, error) {
	if gid, ok := a.gids[name]; ok {
		return gid, nil
	}
	gid, err := account.LookupGroup(name)
	if err != nil {
		return 0, err
	}
	a.gids[name] = gid
	return gid, nil
}
