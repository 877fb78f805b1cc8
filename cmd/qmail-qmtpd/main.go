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
	"goqmail/internal/wire/dialog"
	"goqmail/internal/wire/netstring"
)

func main() {
	process.Start(0o022)
	warn := connection.Warner("qmail-qmtpd", 2, 0)
	err := serve(warn)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		os.Exit(0)
	case errors.Is(err, netstring.ErrMalformed):
		os.Exit(100)
	}
	warn("fatal: " + err.Error())
	os.Exit(111)
}

// serve serves a client for an hour at the most.
func serve(warn func(string)) error {
	end := time.Now().Add(time.Hour)
	config, err := qmtpd.ReadConfig(control.In(home.Dir()))
	if err != nil {
		return err
	}
	env := connection.OfSocket(os.Environ(), 0)
	return config.Serve(qmtpd.Client{
		In:    dialog.Descriptor{FD: 0, Until: end},
		Out:   dialog.Descriptor{FD: 1, Until: end},
		Env:   env,
		Queue: env.Queue(home.Dir()),
		Now:   time.Now,
		Warn:  warn,
	})
}
