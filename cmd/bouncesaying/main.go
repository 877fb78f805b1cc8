// bouncesaying bounces a message if a program says so (bouncesaying(1)).
package main

import (
	"os"

	"goqmail/internal/deliver/condition"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(process.KeepUmask)
	process.Exit("bouncesaying", condition.Bouncesaying(process.Descriptors(), os.Args[1:]))
}
