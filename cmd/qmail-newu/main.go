// qmail-newu makes users/cdb of users/assign (qmail-newu(8)).
package main

import (
	"goqmail/internal/admin/newu"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(0o033)
	process.Exit("qmail-newu", newu.Update(home.Dir()))
}
