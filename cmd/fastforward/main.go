// fastforward forwards a message by a database (fastforward(1)).
package main

import (
	"os"

	"goqmail/internal/deliver/fastforward"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/wire/submit"
)

func main() {
	process.Start(process.KeepUmask)
	d := fastforward.Delivery{
		Env:   os.LookupEnv,
		Queue: submit.FromEnvironment(home.Dir()),
		Files: process.Descriptors(),
	}
	err := d.Parse(os.Args[1:])
	if err == nil {
		err = d.Run()
	}
	process.Exit("fastforward", err)
}
