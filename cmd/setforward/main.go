// setforward makes a forwarding database of instructions (setforward(1)).
package main

import (
	"os"

	"goqmail/internal/deliver/aliases"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(process.KeepUmask)
	process.Exit("setforward", aliases.Setforward(process.Descriptors()[0], os.Args[1:]))
}
