// predate feeds a message to a program with the local date before it (predate(1)).
package main

import (
	"os"
	"time"

	"goqmail/internal/accept/prepend"
	"goqmail/internal/host/process"
	"goqmail/internal/mail/date822"
)

func main() {
	process.Start(process.KeepUmask)
	files := process.Descriptors()
	now := time.Now().In(date822.Zone(os.Getenv("TZ")))
	process.Exit("predate", prepend.Predate(now, files, os.Args[1:], files[0]))
}
