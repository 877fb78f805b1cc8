package dialog

import "golang.org/x/sys/unix"

// Warner returns a function that writes a line for the admin to a descriptor, in
// the name of a program. Where that descriptor is the client's, as under inetd,
// the line would be taken for a reply, so nothing is written.
func Warner(program string, log, client int) func(text string) {
	if sameSocket(log, client) {
		return func(string) {}
	}
	return func(text string) { unix.Write(log, []byte(program+": "+text+"\n")) }
}

func sameSocket(a, b int) bool {
	var as, bs unix.Stat_t
	return unix.Fstat(a, &as) == nil && unix.Fstat(b, &bs) == nil &&
		as.Mode&unix.S_IFMT == unix.S_IFSOCK && as.Dev == bs.Dev && as.Ino == bs.Ino
}
