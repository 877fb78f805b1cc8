// qmail-showctl explains the configuration (qmail-showctl(8)).
package main

import (
	"os"

	"goqmail/internal/admin/showctl"
	"goqmail/internal/host/confine"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(0o077)
	err := showctl.Show(home.Dir(), os.Stdout)
	if err == nil && confine.Version() < confine.Enough {
		_, err = os.Stdout.WriteString("\nThis kernel has no Landlock, or it is switched off: qmail-remote, qmail-clean and\n" +
			"qmail-send are kept apart by their users alone.\n")
	}
	process.Exit("qmail-showctl", err)
}
