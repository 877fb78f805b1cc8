// qmail-inject makes a proper message of what users and programs write, and puts it
// into the queue (qmail-inject(8)).
package main

import (
	"os"
	"time"

	"goqmail/internal/accept/inject"
	"goqmail/internal/host/control"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/wire/submit"
)

func main() {
	process.Start(process.KeepUmask)
	process.Exit("qmail-inject", run())
}

func run() error {
	now, files := time.Now(), process.Descriptors()
	settings, err := inject.ReadSettings(control.In(home.Dir()), os.LookupEnv)
	if err != nil {
		return err
	}
	call, err := inject.ParseArgs(os.Args[1:])
	if err != nil {
		return err
	}
	return inject.Inject(inject.Config{
		Settings: settings,
		Queue:    submit.FromEnvironment(home.Dir()),
		Output:   files[1],
		Tmp:      os.TempDir(),
		Now:      now,
		PID:      os.Getpid(),
	}, call, files[0])
}
