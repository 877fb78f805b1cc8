// config-fast makes the control files for a host whose name is given
// (config-fast(8)).
package main

import (
	"os"

	"goqmail/internal/admin/config"
	"goqmail/internal/host/control"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/mail/outcome"
)

func main() {
	process.Start(0o022)
	process.Exit("config-fast", run())
}

func run() error {
	if len(os.Args) != 2 {
		return outcome.Usage("config-fast your.full.host.name")
	}
	return config.Config{Home: home.Dir(), Control: control.In(home.Dir()), Out: os.Stdout}.Fast(os.Args[1])
}
