// Package qbiff tells a user of a message at the moment it arrives, on the terminals
// where he is logged in and has asked for it (qbiff(1)):
//
//	*** TO <joe-list> FROM <ann@example.org>
//	    Lunch?/ /Shall we meet at noon? /
//
// Asking is what "biff y" does: it lets the owner of the terminal execute it. A
// terminal that is not the user's own, or that is no terminal, is passed over,
// whatever the file utmp says.
//
// What is written holds nothing but printing ASCII, so that a message cannot do
// anything to a terminal. One that does not take it at once does not get it.
package qbiff

import (
	"io"
	"os"

	"goqmail/internal/mail/excerpt"

	"golang.org/x/sys/unix"
)

// width is how much of a message is shown, in bytes, with the indent.
const (
	width  = 78
	indent = "    "
)

// A Config is where the terminals of a user are found.
type Config struct {
	Utmp string // file of who is logged in where
	Dev  string // directory of terminals
	UID  int    // owner of the user's terminals
}

// Announce writes to the terminals of user what there is to say about a message for
// the address whose local part is local. Trouble is no reason not to deliver mail,
// so none is reported.
func Announce(c Config, user, local, sender string, message io.Reader) {
	utmp, err := os.Open(c.Utmp)
	if err != nil {
		return
	}
	defer utmp.Close()
	var announcement []byte
	for line := range terminals(utmp, user) {
		if announcement == nil {
			announcement = []byte(compose(local, sender, message))
		}
		c.write(line, announcement)
	}
}

// write writes to a terminal, if the user owns it and wants that.
func (c Config) write(line string, announcement []byte) {
	fd, err := unix.Open(c.Dev+"/"+line, unix.O_WRONLY|unix.O_APPEND|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Mode&unix.S_IXUSR != 0 && int(st.Uid) == c.UID {
		unix.Write(fd, announcement)
	}
}

// compose is what is written to a terminal.
func compose(local, sender string, message io.Reader) string {
	from := excerpt.Printable("*** TO <"+local+"> FROM <"+sender+">", '_')
	text, _ := excerpt.Of(message, width-len(indent), nil)
	return "\r\n\a" + from + "\r\n" + indent + excerpt.Printable(text, '/') + "\r\n"
}
