// ipmeprint prints the IP addresses of this machine (ipmeprint(8)).
package main

import (
	"os"

	"goqmail/internal/admin/lookup"
	"goqmail/internal/host/ipme"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(0o077)
	process.Exit("ipmeprint", run())
}

func run() error {
	addresses, err := lookup.Own(ipme.Addresses)
	if err != nil {
		return err
	}
	return lookup.Lines(os.Stdout, addresses...)
}
