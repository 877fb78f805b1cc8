// qmail-popup reads a POP3 user name and password (qmail-popup(8)).
package main

import (
	"errors"
	"os"
	"time"

	"goqmail/internal/host/process"
	"goqmail/internal/retrieve/pop3"
	"goqmail/internal/retrieve/popup"
	"goqmail/internal/wire/dialog"
)

func main() {
	process.Start(process.KeepUmask)
	in, out := dialog.Descriptor{FD: 0, Timeout: pop3.Timeout}, dialog.Descriptor{FD: 1, Timeout: pop3.Timeout}
	if len(os.Args) < 3 {
		out.Write([]byte(popup.Usage))
		os.Exit(1)
	}
	_, capable := os.LookupEnv(pop3.Environment)
	server := popup.Server{
		Hostname: os.Args[1], PID: os.Getpid(), Now: time.Now, Capable: capable,
		Check: popup.Subprogram(os.Args[2:], process.Descriptors()),
	}
	var failed *popup.LoginError
	if errors.As(server.Serve(in, out), &failed) {
		dialog.Warner("qmail-popup", 2, 0)("client " + client() + " " + failed.Error())
	}
	os.Exit(1) // as it always did, whatever happened
}

// client is the address of the client, as tcpserver or systemd tell it.
func client() string {
	for _, variable := range []string{"TCPREMOTEIP", "REMOTE_ADDR"} {
		if ip := os.Getenv(variable); ip != "" {
			return ip
		}
	}
	return "unknown"
}
