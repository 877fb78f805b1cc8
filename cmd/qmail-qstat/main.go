// qmail-qstat counts the messages in the queue (qmail-qstat(8)).
package main

import (
	"os"

	"goqmail/internal/admin/qstat"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(0o077)
	process.Exit("qmail-qstat", qstat.Count(home.Dir()+"/queue", os.Stdout))
}
