// qmail-showctl explains the configuration (qmail-showctl(8)).
package main

import (
	"os"

	"goqmail/internal/admin/showctl"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(0o077)
	process.Exit("qmail-showctl", showctl.Show(home.Dir(), os.Stdout))
}
