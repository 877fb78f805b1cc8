// qmail-newmrh makes control/morercpthosts.cdb of control/morercpthosts
// (qmail-newmrh(8)).
package main

import (
	"goqmail/internal/admin/newmrh"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(0o033)
	process.Exit("qmail-newmrh", newmrh.Update(home.Dir()))
}
