// setmaillist makes a list for fastforward of lines (setmaillist(1)).
package main

import (
	"os"

	"goqmail/internal/deliver/aliases"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(0o033)
	process.Exit("setmaillist", aliases.Setmaillist(process.Descriptors()[0], os.Args[1:]))
}
