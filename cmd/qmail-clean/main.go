// qmail-clean removes files from the queue for qmail-send (qmail-clean(8)).
package main

import (
	"os"
	"time"

	"goqmail/internal/dispatch/clean"
	"goqmail/internal/host/confine"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
)

func main() {
	process.Start(0o077)
	if err := confineToQueue(home.Dir() + "/queue"); err != nil {
		os.Exit(111)
	}
	if err := clean.Serve(home.Dir()+"/queue", os.Stdin, os.Stdout, time.Now); err != nil {
		os.Exit(111)
	}
}

// confineToQueue leaves the process nothing but to remove files from the queue.
func confineToQueue(queue string) error {
	rules := []confine.Rule{{Path: queue, Allow: confine.Read}}
	for _, dir := range []string{"pid", "mess", "intd", "todo"} { // each may be a link
		rules = append(rules, confine.Rule{Path: queue + "/" + dir, Allow: confine.Remove})
	}
	return confine.Self(rules...)
}
