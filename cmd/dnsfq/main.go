// dnsfq prints the canonical name of a host (dnsfq(8)).
package main

import (
	"os"

	"goqmail/internal/admin/lookup"
	"goqmail/internal/host/process"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/dns"
)

func main() {
	process.Start(0o077)
	process.Exit("dnsfq", run())
}

func run() error {
	if len(os.Args) != 2 {
		return outcome.Usage("dnsfq host")
	}
	name, err := lookup.FullName(dns.FromFile("/etc/resolv.conf"), os.Args[1], dns.SearchList("/etc/resolv.conf"))
	if err != nil {
		return err
	}
	return lookup.Lines(os.Stdout, name)
}
