// printmaillist prints a list for fastforward (printmaillist(1)).
package main

import (
	"os"

	"goqmail/internal/deliver/aliases"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(0o077)
	process.Exit("printmaillist", aliases.Printmaillist(os.Stdout, process.Descriptors()[0]))
}
