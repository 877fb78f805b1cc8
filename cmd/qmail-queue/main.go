// qmail-queue puts a message into the queue (qmail-queue(8)).
package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"goqmail/internal/accept/enqueue"
	"goqmail/internal/host/account"
	"goqmail/internal/host/home"
	"goqmail/internal/host/privilege"
	"goqmail/internal/host/process"
	"goqmail/internal/wire/resident"
	"goqmail/internal/wire/submit"
	"goqmail/queue"
)

func main() {
	by := enqueue.Submitter{PID: os.Getpid(), UID: uint32(os.Getuid())}
	if resident.Asked(os.Args) {
		process.StartSetuid(0o033, resident.Socket)
		if reside(by) != nil {
			os.Exit(81)
		}
		return
	}
	process.StartSetuid(0o033)
	expire()
	os.Exit(exitCode(run(by)))
}

// run queues the message on descriptor 0 with the envelope on descriptor 1.
func run(by enqueue.Submitter) error {
	if err := privilege.Renounce("qmail"); err != nil {
		return errAccount
	}
	q, err := open()
	if err != nil {
		return err
	}
	if process.Closed(0) || process.Closed(1) {
		return enqueue.ErrRead
	}
	if by, err = named(by); err != nil {
		return err
	}
	return enqueue.Accept(q, os.Stdin, os.Stdout, by, time.Now)
}

// reside queues message after message for the parent.
func reside(by enqueue.Submitter) error {
	if err := privilege.Renounce("qmail"); err != nil {
		return err
	}
	service := &enqueue.Service{Open: open, Submitter: func() (enqueue.Submitter, error) { return named(by) }, Now: time.Now}
	return resident.Serve(submit.AtOnce, func(r *resident.Request) []string {
		message, envelope, err := submit.ReadRequest(r)
		if err != nil {
			return submit.Reply(exitCode(err), 0, "")
		}
		qp, err := service.Accept(message, envelope)
		return submit.Reply(exitCode(err), qp, "")
	})
}

func open() (*queue.Queue, error) {
	if _, err := os.Stat(home.Dir() + "/."); err != nil {
		return nil, errHome
	}
	q, err := queue.Open(home.Dir() + "/queue")
	if err != nil {
		return nil, errQueue
	}
	return q, nil
}

// named finds what mail says of the user who runs this program.
func named(by enqueue.Submitter) (enqueue.Submitter, error) {
	for _, name := range []string{"alias", "qmaild", "qmails"} {
		u, err := account.LookupUser(name)
		if err != nil {
			os.Stderr.WriteString("fatal: unable to find user " + name + "\n")
			return by, errAccount
		}
		if u.UID == by.UID {
			by.Name = name
			break
		}
	}
	return by, nil
}

var (
	errHome    = errors.New("no home directory")
	errQueue   = errors.New("no queue directory")
	errAccount = errors.New("an account of the mail system is missing")
)

// exitCode is what the caller gets to know; internal/wire/submit turns it into
// words. Anything unknown is a temporary problem.
func exitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, enqueue.ErrAddress):
		return 11
	case errors.Is(err, queue.ErrDeath):
		return 52
	case errors.Is(err, queue.ErrWrite):
		return 53
	case errors.Is(err, enqueue.ErrRead):
		return 54
	case errors.Is(err, errHome):
		return 61
	case errors.Is(err, errQueue):
		return 62
	case errors.Is(err, queue.ErrPid):
		return 63
	case errors.Is(err, queue.ErrMess):
		return 64
	case errors.Is(err, queue.ErrIntd):
		return 65
	case errors.Is(err, queue.ErrTodo):
		return 66
	case errors.Is(err, enqueue.ErrFormat):
		return 91
	case errors.Is(err, errAccount):
		return 111
	}
	return 81
}

// expire ends the process at queue.Death, or at an alarm, without looking back: a
// read that never returns holds up everything else. What it leaves in the queue is
// removed at queue.Ossified.
func expire() {
	alarm := make(chan os.Signal, 1)
	signal.Notify(alarm, syscall.SIGALRM)
	limit := time.NewTimer(queue.Death)
	go func() {
		select {
		case <-alarm:
		case <-limit.C:
		}
		os.Exit(52)
	}()
}
