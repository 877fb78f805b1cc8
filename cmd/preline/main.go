// preline feeds a message to a program with lines before it (preline(1)).
package main

import (
	"os"

	"goqmail/internal/deliver/prefix"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(process.KeepUmask)
	process.Exit("preline", prefix.Preline(os.LookupEnv, process.Descriptors(), os.Args[1:]))
}
