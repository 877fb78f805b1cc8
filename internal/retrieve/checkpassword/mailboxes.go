package checkpassword

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"goqmail/internal/host/account"
	"goqmail/internal/mail/fold"

	"golang.org/x/sys/unix"
)

// errUnsafe says who else could read or write the file.
var errUnsafe = errors.New("must be a file of root that nobody else can write and not everybody can read")

// findMailbox looks for a mailbox, a user who is no account of the system:
//
//	line = name : secret : uid : gid : comment : home [ : shell [ : more ] ]
//
// The fields are those of passwd(5), and of a passwd-file of Dovecot. Empty lines,
// and those that begin with #, do not count; the first line with a name does. Names
// are compared without regard to case, as those of mail addresses are. Many
// mailboxes may share a uid; neither uid nor gid may be 0, and home is an absolute
// path.
func (p Passwords) findMailbox(name string) (entry, error) {
	f, err := os.OpenFile(p.Mailboxes, os.O_RDONLY|unix.O_NONBLOCK, 0) // a fifo makes nobody wait
	if errors.Is(err, fs.ErrNotExist) {
		return entry{}, account.ErrUnknown
	}
	if err != nil {
		return entry{}, err
	}
	defer f.Close()
	if err := safe(f, p.Owner); err != nil {
		return entry{}, fmt.Errorf("%s: %w", p.Mailboxes, err)
	}
	return search(f, func(line string) (entry, bool) {
		e := parseMailbox(line)
		return e, e.name != "" && fold.Equal(e.name, name)
	})
}

// safe makes sure that nobody else says who becomes whom, nor reads secrets.
func safe(f *os.File, owner uint32) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Uid != owner || st.Mode&0o027 != 0 {
		return errUnsafe
	}
	return nil
}

// parseMailbox reads a line. The name is empty where it is none; an entry that
// nobody can use has the name and a reason.
func parseMailbox(line string) entry {
	line = strings.TrimRight(line, "\r\n")
	if line == "" || line[0] == '#' {
		return entry{}
	}
	f := strings.Split(line, ":")
	e := entry{name: f[0]}
	if len(f) < 6 {
		e.refusal = "malformed entry"
		return e
	}
	e.secret = secret(f[1])
	uid, err1 := strconv.ParseUint(f[2], 10, 32)
	gid, err2 := strconv.ParseUint(f[3], 10, 32)
	e.login = Login{Name: e.name, UID: uint32(uid), GID: uint32(gid), Home: f[5], Shell: "/bin/sh"}
	if len(f) > 6 && f[6] != "" {
		e.login.Shell = f[6]
	}
	const nobody = 1<<32 - 1 // -1 means to leave the user as he is
	if err1 != nil || err2 != nil || uid == nobody || gid == nobody || !strings.HasPrefix(f[5], "/") {
		e.refusal = "malformed entry"
	}
	return e
}
