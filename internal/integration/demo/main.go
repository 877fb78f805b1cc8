// demo shows the mail system at work (make demo, as root).
//
// It builds and installs goqmail into a home of its own, starts it, sends
// messages through every door, and prints qmail's own log with an explanation
// beside each line; in the end it shows where the mail landed and removes all
// that it made, accounts included. With -keep the system stays, and the demo
// says how to use and how to stop it.
//
// Nothing but loopback addresses is used: 127.0.0.1 for our qmail-smtpd, and
// 127.0.0.2 for a "remote host" that defers the first message it is offered.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	keep := flag.Bool("keep", false, "leave the system running")
	serve := flag.String("serve", "", "serve SMTP for the installation in this home (the demo starts this itself)")
	flag.Parse()
	var err error
	switch {
	case *serve != "":
		err = serveSMTP(*serve)
	case os.Geteuid() != 0:
		err = fmt.Errorf("needs root: qmail runs each of its parts as a user of its own (sudo make demo)")
	default:
		err = show(*keep)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// show goes through the demonstration.
func show(keep bool) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	d, err := setUp(ctx)
	if d != nil {
		defer func() {
			if err != nil || !keep {
				d.remove()
			}
		}()
	}
	if err != nil {
		return err
	}
	for i, s := range steps {
		fmt.Printf("\n== %d. %s\n", i+1, s.title)
		if err := s.run(d); err != nil {
			return fmt.Errorf("%s: %w", s.title, err)
		}
	}
	fmt.Println("\n== Where the mail landed")
	if err := d.showMail(); err != nil {
		return err
	}
	if keep {
		d.tellHowToStop()
		return nil
	}
	fmt.Println("\nAll of it is removed now; sudo make demo KEEP=1 leaves it running.")
	return nil
}
