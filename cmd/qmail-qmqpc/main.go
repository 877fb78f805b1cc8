// qmail-qmqpc hands a message to a QMQP server in place of qmail-queue
// (qmail-qmqpc(8)).
package main

import (
	"errors"
	"os"

	"goqmail/internal/accept/qmqpc"
	"goqmail/internal/host/control"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(0o077)
	os.Exit(exitCode(run()))
}

func run() error {
	if _, err := os.Stat(home.Dir() + "/."); err != nil {
		return errHome
	}
	entries, exists, err := control.In(home.Dir()).List("qmqpservers")
	if err != nil || !exists {
		return errControl
	}
	if process.Closed(0) || process.Closed(1) {
		return qmqpc.ErrRead
	}
	request, err := qmqpc.Read(os.Stdin, os.Stdout, os.TempDir())
	if err != nil {
		return err
	}
	defer request.Close()
	return request.Send(qmqpc.Servers(entries))
}

var (
	errHome    = errors.New("no home directory")
	errControl = errors.New("unable to read control/qmqpservers")
)

// exitCode is what qmail-queue would say.
func exitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, qmqpc.ErrPermanent):
		return 31
	case errors.Is(err, qmqpc.ErrSpool):
		return 53
	case errors.Is(err, qmqpc.ErrRead):
		return 54
	case errors.Is(err, errControl), errors.Is(err, qmqpc.ErrServers):
		return 55
	case errors.Is(err, errHome):
		return 61
	case errors.Is(err, qmqpc.ErrTemporary):
		return 71
	case errors.Is(err, qmqpc.ErrTimeout):
		return 72
	case errors.Is(err, qmqpc.ErrRefused):
		return 73
	case errors.Is(err, qmqpc.ErrBroken):
		return 74
	case errors.Is(err, qmqpc.ErrFormat):
		return 91
	}
	return 81
}
