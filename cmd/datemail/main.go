// datemail is sendmail with the local date before the message (datemail(1)).
package main

import (
	"os"
	"path/filepath"
	"time"

	"goqmail/internal/accept/prepend"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/mail/date822"
)

func main() {
	process.Start(process.KeepUmask)
	files := process.Descriptors()
	now := time.Now().In(date822.Zone(os.Getenv("TZ")))
	sendmail := append([]string{filepath.Join(home.Dir(), "bin/sendmail")}, os.Args[1:]...)
	process.Exit("datemail", prepend.Predate(now, files, sendmail, files[0]))
}
