package process

import (
	"os"

	"golang.org/x/sys/unix"
)

// Pipe returns an inherited descriptor, such as os.Stdin, as a file that takes no
// thread while one waits for it, if it is a pipe: its end belongs to this process
// alone. Of anything else, such as a terminal, others would notice.
func Pipe(inherited *os.File) *os.File {
	fd := int(inherited.Fd())
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO || unix.SetNonblock(fd, true) != nil {
		return inherited
	}
	return os.NewFile(uintptr(fd), inherited.Name())
}
