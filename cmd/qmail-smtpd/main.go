// qmail-smtpd receives mail by SMTP on descriptors 0 and 1 (qmail-smtpd(8)).
package main

import (
	"os"
	"time"

	"goqmail/internal/accept/connection"
	"goqmail/internal/accept/smtpd"
	"goqmail/internal/host/control"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/wire/dialog"
)

func main() {
	process.Start(0o022)
	warn := connection.Warner("qmail-smtpd", 2, 0)
	config, err := smtpd.ReadConfig(control.In(home.Dir()))
	if err != nil {
		warn("fatal: " + err.Error())
		os.Stdout.WriteString(smtpd.Unreadable)
		os.Exit(1)
	}
	env := connection.OfSocket(os.Environ(), 0)
	err = config.Serve(smtpd.Client{
		In:    dialog.Descriptor{FD: 0, Timeout: config.Timeout},
		Out:   dialog.Descriptor{FD: 1, Timeout: config.Timeout},
		Env:   env,
		Queue: env.Queue(home.Dir()),
		Tmp:   os.TempDir(),
		Now:   time.Now,
		Warn:  warn,
	})
	if err != nil {
		os.Exit(1)
	}
}
