package install

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Verify returns a line for each thing that is not as it should be, such as
// "queue/lock/trigger: mode 0644, should be 0622".
func (p Plan) Verify() ([]string, error) {
	return p.verifyAll(hierarchy(queueSplit(p.root())))
}

// VerifyQueue is Verify for the queue alone.
func (p Plan) VerifyQueue() ([]string, error) { return p.verifyAll(queue(queueSplit(p.root()))) }

func (p Plan) verifyAll(list []Entry) ([]string, error) {
	var wrong []string
	for _, e := range list {
		lines, err := p.verify(e)
		if err != nil {
			return wrong, err
		}
		wrong = append(wrong, lines...)
	}
	return wrong, nil
}

// fileType says what kind of file an entry is on disk.
func (k Kind) fileType() uint32 {
	switch k {
	case Directory:
		return unix.S_IFDIR
	case Fifo:
		return unix.S_IFIFO
	}
	return unix.S_IFREG
}

func (p Plan) verify(e Entry) (wrong []string, err error) {
	uid, err := p.Accounts.UID(e.Owner)
	if err != nil {
		return nil, err
	}
	gid, err := p.Accounts.GID(e.Group)
	if err != nil {
		return nil, err
	}
	say := func(format string, args ...any) {
		wrong = append(wrong, e.Path+": "+fmt.Sprintf(format, args...))
	}
	var st unix.Stat_t
	if err := unix.Lstat(filepath.Join(p.root(), e.Path), &st); err != nil {
		say("%v", err)
		return wrong, nil
	}
	want := e.Kind.fileType()
	if st.Mode&unix.S_IFMT != want {
		say("is not a %s", map[uint32]string{unix.S_IFDIR: "directory", unix.S_IFIFO: "named pipe", unix.S_IFREG: "regular file"}[want])
		return wrong, nil
	}
	if st.Uid != uid {
		say("owner is number %d, should be %s", st.Uid, e.Owner)
	}
	if st.Gid != gid {
		say("group is number %d, should be %s", st.Gid, e.Group)
	}
	if mode := st.Mode & 0o7777; mode != e.Mode {
		say("mode %04o, should be %04o", mode, e.Mode)
	}
	if e.Kind == Zeros && st.Size < e.Size {
		say("has %d bytes, should have %d", st.Size, e.Size)
	}
	return wrong, nil
}
