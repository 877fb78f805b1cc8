// qmail-tcpok forgets which hosts' connection attempts have timed out
// (qmail-tcpok(8)).
package main

import (
	admin "goqmail/internal/admin/tcpto"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/wire/tcpto"
)

func main() {
	process.Start(0o077)
	process.Exit("qmail-tcpok", admin.Clear(tcpto.In(home.Dir())))
}
