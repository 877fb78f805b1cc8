// qmail-tcpto lists the hosts whose connection attempts have timed out
// (qmail-tcpto(8)).
package main

import (
	"os"
	"time"

	admin "goqmail/internal/admin/tcpto"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/wire/tcpto"
)

func main() {
	process.Start(0o077)
	process.Exit("qmail-tcpto", admin.List(tcpto.In(home.Dir()), time.Now(), os.Stdout))
}
