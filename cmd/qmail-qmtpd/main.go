// qmail-qmtpd receives mail by QMTP on descriptors 0 and 1 (qmail-qmtpd(8)).
package main

import (
	"errors"
	"io"
	"os"
	"time"

	"goqmail/internal/accept/connection"
	"goqmail/internal/accept/qmtpd"
	"goqmail/internal/host/control"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/wire/netstring"
)

func main() {
	process.Start(0o022)
	client := connection.Inherited("qmail-qmtpd", home.Dir(), os.Environ())
	client.Limit(0, time.Now().Add(time.Hour))
	config, err := qmtpd.ReadConfig(control.In(home.Dir()))
	if err == nil {
		err = config.Serve(client)
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		os.Exit(0)
	case errors.Is(err, netstring.ErrMalformed):
		os.Exit(100)
	}
	client.Warn("fatal: " + err.Error())
	os.Exit(111)
}
