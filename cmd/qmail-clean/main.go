// qmail-clean removes files from the queue for qmail-send (qmail-clean(8)).
package main

import (
	"os"
	"time"

	"goqmail/internal/dispatch/clean"
	"goqmail/internal/host/confine"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(0o077)
	if err := confine.Self(clean.Files(home.Dir() + "/queue")...); err != nil {
		os.Exit(111)
	}
	if err := clean.Serve(home.Dir()+"/queue", os.Stdin, os.Stdout, time.Now); err != nil {
		os.Exit(111)
	}
}
