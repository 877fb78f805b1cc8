// qsmhook feeds a message to a program as sendmail does (qsmhook(1)).
package main

import (
	"os"

	"goqmail/internal/deliver/prefix"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(process.KeepUmask)
	process.Exit("qsmhook", prefix.Qsmhook(os.LookupEnv, process.Descriptors(), os.Args[1:]))
}
