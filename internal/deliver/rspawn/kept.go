package rspawn

import (
	"errors"
	"os"
	"slices"
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
// what would be printed, for each recipient as if he were alone.
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
	texts, done := k.ask([]string{d.Host, d.Sender, d.Recipient}, d.Message)
	if !done {
		return k.run.Deliver(d)
	}
	return texts[0]
}

// ask has a message delivered, and returns the text of the report on each recipient.
// False means that nothing was done, and that each delivery needs a process of its own.
func (k *Kept) ask(fields []string, message *os.File) (texts []string, done bool) {
	process := k.enter()
	reply, err := k.pool.Call(strconv.Itoa(process), func() child.Command {
		return child.Command{Args: []string{k.run.name}, Dir: k.run.dir}
	}, resident.Request{Fields: fields, Files: []*os.File{message}})
	k.leave(process)
	recipients := fields[2:]
	switch {
	case errors.Is(err, resident.ErrClassic):
		return nil, false
	case errors.Is(err, resident.ErrRefused):
		return slices.Repeat([]string{"Zqmail-remote is out of resources. (#4.3.0)\n"}, len(recipients)), true
	case err != nil, len(reply) != len(recipients):
		return slices.Repeat([]string{report(child.Status{Crashed: true}, nil)}, len(recipients)), true
	}
	for _, printed := range reply {
		var o output
		o.Write([]byte(printed))
		texts = append(texts, o.merge())
	}
	return texts, true
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
