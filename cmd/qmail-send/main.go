// qmail-send delivers messages from the queue (qmail-send(8)).
package main

import (
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"goqmail/internal/dispatch/route"
	"goqmail/internal/dispatch/send"
	"goqmail/internal/host/control"
	"goqmail/internal/host/home"
	"goqmail/internal/host/process"
	"goqmail/internal/wire/resident"
	"goqmail/internal/wire/spawn"
	"goqmail/internal/wire/submit"

	"golang.org/x/sys/unix"
)

func main() {
	process.Start(0o077)
	debug.SetCrashOutput(os.Stdin, debug.CrashOptions{}) // descriptor 2 leads to nobody
	_, width := spawn.ParseWidth(os.Args[1:])
	err := send.Run(send.Config{
		Home:   home.Dir(),
		Record: send.RecordDescriptor(0),
		Spawners: [route.Channels]send.Pipes{
			route.Local:  {Commands: pipe(1), Reports: pipe(2)},
			route.Remote: {Commands: pipe(3), Reports: pipe(4)},
		},
		Width:   width,
		Clean:   send.Pipes{Commands: pipe(5), Reports: pipe(6)},
		Signals: signals(),
		Bounces: bounces(),
		Now:     time.Now,
	})
	if err != nil {
		os.Exit(111)
	}
}

// bounces is the way to qmail-queue, which is kept open for many bounces. What that
// prints is thrown away: this program's own descriptor 2 is a pipe that only it reads.
func bounces() submit.Queue {
	q := submit.FromEnvironment(home.Dir())
	q.Errors, _ = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if residence, err := resident.Wanted(control.In(home.Dir())); err == nil && residence {
		q.Resident = submit.NewResident(home.Dir())
	}
	return q
}

// pipe makes a file of an inherited descriptor. What is not a pipe is closed: the
// caller has left the descriptor out, and something of this process's own has it.
func pipe(fd int) *os.File {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO && st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return nil
	}
	unix.CloseOnExec(fd)
	unix.SetNonblock(fd, true)
	return os.NewFile(uintptr(fd), "pipe")
}

// signals passes on what an admin asks for.
func signals() <-chan send.Signal {
	caught := make(chan os.Signal, 8)
	signal.Notify(caught, syscall.SIGTERM, syscall.SIGALRM, syscall.SIGHUP)
	asked := make(chan send.Signal)
	go func() {
		for s := range caught {
			switch s {
			case syscall.SIGTERM:
				asked <- send.Exit
			case syscall.SIGALRM:
				asked <- send.RunAll
			case syscall.SIGHUP:
				asked <- send.Reread
			}
		}
	}()
	return asked
}
