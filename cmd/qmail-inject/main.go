// qmail-inject makes a proper message of what users and programs write, and puts it
// into the queue (qmail-inject(8)).
package main

import (
	"os"
	"runtime/debug"
	"time"

	"goqmail/internal/accept/inject"
	"goqmail/internal/host/control"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/wire/submit"
)

// memory is what the runtime is to do with, in bytes. It is far more than what is
// kept of any message; the rest is what was not collected yet.
const memory = 20 << 20

func main() {
	process.Start(process.KeepUmask)
	debug.SetMemoryLimit(memory)
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
