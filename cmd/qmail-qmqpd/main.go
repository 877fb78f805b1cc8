// qmail-qmqpd receives a message by QMQP on descriptors 0 and 1 (qmail-qmqpd(8)).
package main

import (
	"errors"
	"io"
	"os"
	"time"

	"goqmail/internal/accept/connection"
	"goqmail/internal/accept/qmqpd"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/wire/dialog"
	"goqmail/internal/wire/netstring"
)

func main() {
	process.Start(0o022)
	env := connection.OfSocket(os.Environ(), 0)
	end := time.Now().Add(time.Hour)
	err := qmqpd.Serve(qmqpd.Client{
		In:    dialog.Descriptor{FD: 0, Until: end},
		Out:   dialog.Descriptor{FD: 1, Until: end},
		Env:   env,
		Queue: env.Queue(home.Dir()),
		Now:   time.Now,
	})
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		os.Exit(0)
	case errors.Is(err, netstring.ErrMalformed):
		os.Exit(100)
	}
	connection.Warner("qmail-qmqpd", 2, 0)("fatal: " + err.Error())
	os.Exit(111)
}
