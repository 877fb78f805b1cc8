// newinclude makes a list for fastforward of an :include: file (newinclude(1)).
package main

import (
	"os"

	"goqmail/internal/deliver/aliases"
	"goqmail/internal/deliver/looselist"
	"goqmail/internal/host/control"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(0o033)
	hosts, err := looselist.ReadHosts(control.In(home.Dir()))
	if err == nil {
		err = aliases.Newinclude(os.Args[1:], hosts)
	}
	process.Exit("newinclude", err)
}
