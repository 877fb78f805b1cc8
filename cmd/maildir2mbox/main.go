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
	process.Exit("maildir2mbox", maildir2mbox.Run(os.LookupEnv, os.Stderr, time.Now))
}
