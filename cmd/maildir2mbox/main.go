// maildir2mbox moves mail from a maildir to an mbox (maildir2mbox(1)).
package main

import (
	"os"
	"time"

	"goqmail/internal/host/process"
	"goqmail/internal/retrieve/maildir2mbox"
)

func main() {
	process.Start(0o077)
	m, err := maildir2mbox.FromEnvironment(os.LookupEnv)
	if err == nil {
		m.Warnings, m.Now = os.Stderr, time.Now
		err = m.Run()
	}
	process.Exit("maildir2mbox", err)
}
