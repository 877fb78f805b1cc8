// qreceipt answers a message that asks for a notice of its delivery (qreceipt(1)).
package main

import (
	"os"

	"goqmail/internal/deliver/qreceipt"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/submit"
)

func main() {
	process.Start(0o077)
	process.Exit("qreceipt", run(os.Args[1:]))
}

func run(args []string) error {
	sender, set := os.LookupEnv("SENDER")
	if len(args) == 0 || !set {
		return outcome.Usage("qreceipt deliveryaddress")
	}
	r := qreceipt.Receipt{Target: args[0], Sender: sender, Queue: submit.FromEnvironment(home.Dir())}
	return r.Answer(process.Descriptors()[0])
}
