// forward forwards a message to the addresses it is given (forward(1)).
package main

import (
	"fmt"
	"os"

	"goqmail/internal/deliver/forward"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/submit"
)

func main() {
	process.Start(process.KeepUmask)
	qp, err := forward.Forward(os.LookupEnv, submit.FromEnvironment(home.Dir()), process.Descriptors()[0], os.Args[1:])
	if err == nil {
		err = &outcome.Status{Text: fmt.Sprintf("forward: qp %d", qp)}
	}
	process.Exit("forward", err)
}
