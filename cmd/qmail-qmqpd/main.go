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
	"goqmail/internal/wire/netstring"
)

func main() {
	process.Start(0o022)
	client := connection.Inherited("qmail-qmqpd", home.Dir(), os.Environ())
	client.Limit(0, time.Now().Add(time.Hour))
	err := qmqpd.Serve(client)
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		os.Exit(0)
	case errors.Is(err, netstring.ErrMalformed):
		os.Exit(100)
	}
	client.Warn("fatal: " + err.Error())
	os.Exit(111)
}
