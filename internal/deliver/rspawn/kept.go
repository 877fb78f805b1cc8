package rspawn

import (
	"errors"
	"os"
	"strconv"
	"sync"

	"goqmail/internal/deliver/spawner"
	"goqmail/internal/host/child"
	"goqmail/internal/wire/resident"
)

const (
	// atOnce is how many deliveries a qmail-remote that is kept open has at the same
	// time. So many of them share connections to a host, and, should there be a bug
	// that ends the process, their fate.
	atOnce = 250
	// maxProcesses is how many of them there are.
	maxProcesses = 64
)

// Kept keeps processes of qmail-remote open, each for many deliveries: one while that
// suffices, then another. So deliveries to the same host meet in the same process, and
// its connection serves one after the other.
//
// A request has the arguments as its fields and the message as its file; the reply is
// what would be printed.
type Kept struct {
	pool *resident.Pool
	run  Runner

	mu   sync.Mutex
	load [maxProcesses]int // deliveries in each
}

// Keep keeps the qmail-remote of an installation. What cannot be done so, a Runner
// does.
func Keep(home string) *Kept {
	run := NewRunner(home, "")
	return &Kept{run: run, pool: resident.NewPool(resident.Config{
		Path:     run.program,
		Children: maxProcesses,
		InFlight: atOnce,
		Full:     true,
	})}
}

// Close lets the processes finish, and waits for their end.
func (k *Kept) Close() { k.pool.Close() }

// Deliver carries out one delivery.
func (k *Kept) Deliver(d spawner.Delivery) string {
	process := k.enter()
	reply, err := k.pool.Call(strconv.Itoa(process), func() child.Command {
		return child.Command{Args: []string{k.run.name}, Dir: k.run.dir}
	}, resident.Request{Fields: []string{d.Host, d.Sender, d.Recipient}, Files: []*os.File{d.Message}})
	k.leave(process)
	switch {
	case errors.Is(err, resident.ErrClassic):
		return k.run.Deliver(d)
	case errors.Is(err, resident.ErrRefused):
		return "Zqmail-remote is out of resources. (#4.3.0)\n"
	case err != nil, len(reply) != 1:
		return report(child.Status{Crashed: true}, nil)
	}
	var o output
	o.Write([]byte(reply[0]))
	return o.merge()
}

// enter chooses the process: the first that has room.
func (k *Kept) enter() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	process := 0
	for process < maxProcesses-1 && k.load[process] >= atOnce {
		process++
	}
	k.load[process]++
	return process
}

func (k *Kept) leave(process int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.load[process]--
}
