// printforward prints the instructions in a forwarding database (printforward(1)).
package main

import (
	"os"

	"goqmail/internal/deliver/aliases"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(0o077)
	process.Exit("printforward", aliases.Printforward(os.Stdout, process.Descriptors()[0]))
}
