// tcp-env puts what there is to know of a TCP connection into the environment of a
// server (tcp-env(1)).
package main

import (
	"os"

	"goqmail/internal/accept/connection"
	"goqmail/internal/accept/tcpenv"
	"goqmail/internal/host/child"
	"goqmail/internal/host/process"
	"goqmail/internal/mail/outcome"
	"goqmail/internal/wire/dns"
	"goqmail/internal/wire/ident"
)

func main() {
	process.Start(process.KeepUmask)
	run(os.Args[1:])
	// Descriptor 2 may be the connection, so the reason stays untold.
	os.Exit(outcome.Deferral.ExitCode())
}

// run becomes the program, or returns.
func run(args []string) {
	a := tcpenv.ParseArgs(args)
	if len(a.Program) == 0 {
		return
	}
	env := connection.Environment(os.Environ())
	if !tcpenv.Known(env) {
		ends, ok := connection.EndpointsOf(0)
		if !ok {
			return
		}
		world := tcpenv.World{Names: dns.FromFile("/etc/resolv.conf").Names, Patience: a.Patience}
		if a.User {
			world.User = ident.Ask
		}
		env = tcpenv.Describe(env, ends, world)
	}
	child.Become(a.Program, env)
}
