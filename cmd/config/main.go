// config makes the control files for this host by what DNS says of it (config(8)).
package main

import (
	"os"

	"goqmail/internal/admin/config"
	"goqmail/internal/admin/lookup"
	"goqmail/internal/host/control"
	"goqmail/internal/host/home"
	"goqmail/internal/host/ipme"
	"goqmail/internal/host/process"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/dns"
)

func main() {
	process.Start(0o022)
	process.Exit("config", run())
}

func run() error {
	if len(os.Args) != 1 {
		return outcome.Usage("config")
	}
	own, err := lookup.Own(ipme.Addresses)
	if err != nil {
		return err
	}
	const resolvConf = "/etc/resolv.conf"
	hostname, _ := os.Hostname() // Discover tells that there is none
	c := config.Config{Home: home.Dir(), Control: control.In(home.Dir()), Out: os.Stdout}
	return c.Discover(dns.FromFile(resolvConf), config.Machine{
		Hostname: hostname, Search: dns.SearchList(resolvConf), Own: own,
	})
}
