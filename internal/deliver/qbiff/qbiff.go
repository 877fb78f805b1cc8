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
	"bufio"
	"io"
	"os"

	"goqmail/internal/mail/fold"
	"goqmail/internal/mail/header"

	"golang.org/x/sys/unix"
)

// width is how much of a message is shown, in bytes.
const width = 78

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
	from := printable("*** TO <"+local+"> FROM <"+sender+">", '_')
	return "\r\n\a" + from + "\r\n" + printable("    "+excerpt(message), '/') + "\r\n"
}

// excerpt is the beginning of what a message says: its subject, then its body.
func excerpt(message io.Reader) string {
	text := make([]byte, 0, width-len("    "))
	add := func(r io.Reader) {
		n, _ := io.ReadFull(r, text[len(text):cap(text)])
		text = text[:len(text)+n]
	}
	r := header.NewReader(message)
	for {
		field, err := r.Next()
		if err == io.EOF {
			add(r.Body())
		}
		if err != nil {
			return string(text)
		}
		if fold.Equal(field.Name, "Subject") {
			add(contents(field.Text))
		}
	}
}

// contents is a field without its name and the white space before what it says.
func contents(field io.Reader) io.Reader {
	r := bufio.NewReader(field)
	for colon := false; ; {
		switch c, err := r.ReadByte(); {
		case err != nil:
			return r
		case !colon:
			colon = c == ':'
		case c != ' ' && c != '\t' && c != '\r' && c != '\n':
			r.UnreadByte()
			return r
		}
	}
}

// printable puts a mark in place of each byte that is not printing ASCII.
func printable(text string, mark byte) string {
	b := []byte(text)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = mark
		}
	}
	return string(b)
}
