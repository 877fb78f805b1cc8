package install

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Verify returns a line for each thing that is not as it should be, such as
// "queue/lock/trigger: mode 0644, should be 0622".
func (p Plan) Verify() ([]string, error) {
	var wrong []string
	for _, e := range hierarchy(queueSplit(p.root())) {
		lines, err := p.verify(e)
		if err != nil {
			return wrong, err
		}
		wrong = append(wrong, lines...)
	}
	return wrong, nil
}

// fileTypes says what kind of file each entry is on disk.
var fileTypes = map[kind]uint32{directory: unix.S_IFDIR, fifo: unix.S_IFIFO}

func (p Plan) verify(e entry) (wrong []string, err error) {
	uid, err := p.Accounts.UID(e.owner)
	if err != nil {
		return nil, err
	}
	gid, err := p.Accounts.GID(e.group)
	if err != nil {
		return nil, err
	}
	say := func(format string, args ...any) {
		wrong = append(wrong, e.path+": "+fmt.Sprintf(format, args...))
	}
	var st unix.Stat_t
	if err := unix.Lstat(filepath.Join(p.root(), e.path), &st); err != nil {
		say("%v", err)
		return wrong, nil
	}
	want, ok := fileTypes[e.kind]
	if !ok {
		want = unix.S_IFREG
	}
	if st.Mode&unix.S_IFMT != want {
		say("is not a %s", map[uint32]string{unix.S_IFDIR: "directory", unix.S_IFIFO: "named pipe", unix.S_IFREG: "regular file"}[want])
		return wrong, nil
	}
	if st.Uid != uid {
		say("owner is number %d, should be %s", st.Uid, e.owner)
	}
	if st.Gid != gid {
		say("group is number %d, should be %s", st.Gid, e.group)
	}
	if mode := st.Mode & 0o7777; mode != e.mode {
		say("mode %04o, should be %04o", mode, e.mode)
	}
	if e.kind == zeros && st.Size < e.size {
		say("has %d bytes, should have %d", st.Size, e.size)
	}
	return wrong, nil
}
