// elq moves new mail to the mbox and starts elm there (elq(1)).
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
	process.Exit("elq", child.Become(append([]string{"elm"}, os.Args[1:]...), os.Environ()))
}
