// qmail-upq puts the files of the queue into the subdirectories where they belong
// (qmail-upq(8)).
package main

import (
	"os"
	"strconv"

	"goqmail/internal/admin/upq"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/mail/outcome"
)

func main() {
	process.Start(0o077)
	process.Exit("qmail-upq", run())
}

func run() error {
	var split uint64
	var err error
	switch len(os.Args) {
	case 1:
	case 2:
		split, err = strconv.ParseUint(os.Args[1], 10, 32)
	}
	if err != nil || len(os.Args) > 2 || len(os.Args) == 2 && split == 0 {
		return outcome.Usage("qmail-upq [ split ]")
	}
	queue := home.Dir() + "/queue"
	moved, err := upq.Arrange(queue, split)
	if err != nil {
		return err
	}
	_, err = os.Stdout.WriteString(upq.Report(moved, queue) + "\n")
	return err
}
