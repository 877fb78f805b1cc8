// qbiff tells a user of a message on his terminals (qbiff(1)).
package main

import (
	"os"

	"goqmail/internal/deliver/qbiff"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(0o077)
	user, known := os.LookupEnv("USER")
	sender, hasSender := os.LookupEnv("SENDER")
	local, hasLocal := os.LookupEnv("LOCAL")
	if known && hasSender && hasLocal {
		config := qbiff.Config{Utmp: "/var/run/utmp", Dev: "/dev", UID: os.Getuid()}
		qbiff.Announce(config, user, local, sender, os.Stdin)
	}
}
