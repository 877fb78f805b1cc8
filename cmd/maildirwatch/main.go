// maildirwatch shows the new mail in a maildir, twice a minute (maildirwatch(1)).
package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"goqmail/internal/host/errno"
	"goqmail/internal/host/process"
	"goqmail/internal/retrieve/maildirwatch"
)

func main() {
	process.Start(0o077)
	process.Exit("maildirwatch", watch())
}

// watch returns only where there is trouble.
func watch() error {
	dir, set := os.LookupEnv("MAILDIR")
	if !set {
		return errors.New("MAILDIR not set")
	}
	if err := os.Chdir(dir); err != nil {
		return fmt.Errorf("unable to chdir to %s: %s", dir, errno.Text(err))
	}
	for {
		if err := maildirwatch.Summary(os.Stdout, ".", time.Now()); err != nil {
			return err
		}
		time.Sleep(maildirwatch.Interval)
	}
}
