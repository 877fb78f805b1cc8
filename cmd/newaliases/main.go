// newaliases makes a forwarding database of /etc/aliases (newaliases(1)).
package main

import (
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
		err = aliases.Newaliases("/etc/aliases", hosts)
	}
	process.Exit("newaliases", err)
}
