// except turns the answer of a program round (except(1)).
package main

import (
	"os"

	"goqmail/internal/deliver/condition"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(process.KeepUmask)
	process.Exit("except", condition.Except(process.Descriptors(), os.Args[1:]))
}
