package maildir

import (
	"fmt"
	"os"
	"strings"

	"goqmail/internal/host/durable"
	"goqmail/internal/host/errno"
)

// Make makes a maildir that nobody but its owner can enter (maildirmake(1)). Its names
// are durable when Make returns nil: mail may be delivered there in the next
// instant. Where it fails, what it has made stays, for the user to look at.
func Make(dir string) error {
	for _, d := range []string{dir, dir + "/tmp", dir + "/new", dir + "/cur"} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return fmt.Errorf("unable to mkdir %s: %s", d, errno.Text(err))
		}
	}
	trimmed := strings.TrimRight(dir, "/")
	parent := trimmed[:strings.LastIndexByte(trimmed, '/')+1] + "."
	for _, d := range []string{dir, parent} {
		if err := durable.Names(d, dir); err != nil {
			return fmt.Errorf("unable to sync %s: %s", d, errno.Text(err))
		}
	}
	return nil
}
