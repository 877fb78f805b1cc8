// dnsmxip prints the addresses that take mail for a name (dnsmxip(8)).
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
	process.Exit("dnsmxip", run())
}

func run() error {
	if len(os.Args) != 2 {
		return outcome.Usage("dnsmxip host")
	}
	exchangers, err := lookup.Exchangers(dns.FromFile("/etc/resolv.conf"), os.Args[1])
	if err != nil {
		return err
	}
	return lookup.Lines(os.Stdout, exchangers...)
}
