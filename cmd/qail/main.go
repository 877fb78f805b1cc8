// qail moves new mail to the mbox and starts Mail there (qail(1)).
package main

import (
	"os"
	"time"

	"goqmail/internal/host/child"
	"goqmail/internal/host/process"
	"goqmail/internal/retrieve/maildir2mbox"
)

func main() {
	process.Start(process.KeepUmask)
	if err := maildir2mbox.Run(os.LookupEnv, os.Stderr, time.Now); err != nil {
		process.Exit("maildir2mbox", err)
	}
	process.Exit("qail", child.Become(append([]string{"Mail"}, os.Args[1:]...), os.Environ()))
}
