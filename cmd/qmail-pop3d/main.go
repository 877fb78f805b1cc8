// qmail-pop3d lets a user read and delete mail by POP3 (qmail-pop3d(8)).
package main

import (
	"errors"
	"os"
	"time"

	"goqmail/internal/host/process"
	"goqmail/internal/retrieve/pop3"
	"goqmail/internal/retrieve/pop3d"
	"goqmail/internal/wire/dialog"
)

func main() {
	process.Start(0o077)
	if os.Getuid() == 0 || os.Geteuid() == 0 {
		os.Stderr.WriteString("qmail-pop3d invoked as uid 0, terminating\n")
		os.Exit(1)
	}
	in, out := dialog.Descriptor{FD: 0, Timeout: pop3.Timeout}, dialog.Descriptor{FD: 1, Timeout: pop3.Timeout}
	out.SendAtOnce()
	var dir string
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	warn := dialog.Warner("qmail-pop3d", 2, 0)
	// Whatever happens from here on, the user is known, and qmail-popup has nothing
	// to add to what was said: the exit code is 0.
	mailbox, err := pop3d.Open(dir, time.Now())
	if err != nil {
		pop3d.Refuse(out, err)
		warn(err.Error())
		return
	}
	_, capable := os.LookupEnv(pop3.Environment)
	if err := pop3d.Serve(mailbox, in, out, capable); errors.Is(err, pop3d.ErrRead) {
		warn(err.Error())
	}
}
