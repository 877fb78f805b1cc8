// dnsptr prints the name of the host at an address (dnsptr(8)).
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
	process.Exit("dnsptr", run())
}

func run() error {
	if len(os.Args) != 2 {
		return outcome.Usage("dnsptr address")
	}
	name, err := lookup.NameOf(dns.FromFile("/etc/resolv.conf"), os.Args[1])
	if err != nil {
		return err
	}
	return lookup.Lines(os.Stdout, name)
}
