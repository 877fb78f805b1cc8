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
)

func main() {
	process.Start(0o022)
	client := connection.Inherited("qmail-smtpd", home.Dir(), os.Environ())
	config, err := smtpd.ReadConfig(control.In(home.Dir()))
	if err != nil {
		client.Warn("fatal: " + err.Error())
		os.Stdout.WriteString(smtpd.Unreadable)
		os.Exit(1)
	}
	client.Limit(config.Timeout, time.Time{})
	if config.Serve(client) != nil {
		os.Exit(1)
	}
}
