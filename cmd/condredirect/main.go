// condredirect sends a message to another address if a program says so
// (condredirect(1)).
package main

import (
	"fmt"
	"os"

	"goqmail/internal/deliver/condition"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/submit"
)

// done tells qmail-local to leave the rest of the .qmail file.
const done = 99

func main() {
	process.Start(process.KeepUmask)
	qp, err := condition.Condredirect(os.LookupEnv, submit.FromEnvironment(home.Dir()), process.Descriptors(), os.Args[1:])
	if err == nil && qp != 0 {
		err = &outcome.Status{Code: done, Text: fmt.Sprintf("condredirect: qp %d", qp)}
	}
	process.Exit("condredirect", err)
}
