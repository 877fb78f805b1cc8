// dot-forward follows a .forward file of sendmail's (dot-forward(1)).
package main

import (
	"os"

	"goqmail/internal/deliver/dotforward"
	"goqmail/internal/host/control"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/wire/submit"
)

func main() {
	process.Start(process.KeepUmask)
	d := dotforward.Delivery{
		Env:     os.LookupEnv,
		Control: control.In(home.Dir()),
		Queue:   submit.FromEnvironment(home.Dir()),
		Files:   process.Descriptors(),
	}
	process.Exit("dot-forward", d.Run(os.Args[1:]))
}
