// Package resident keeps a program open, so that its parent can give it work again
// and again without starting a process each time.
//
// # The two sides
//
// A parent has a Pool for each program that it keeps. It gives a request to the
// child of some key, and gets the reply; the Pool starts, watches and replaces the
// children.
//
//	pool := resident.NewPool(resident.Config{Path: home + "/bin/qmail-local"})
//	reply, err := pool.Call(key, command, resident.Request{Fields: fields, Files: files})
//	switch {
//	case errors.Is(err, resident.ErrClassic): // start one process for this request
//	case err != nil:                          // a temporary failure
//	}
//
// The child looks whether it was asked to reside, and serves until its parent has
// enough of it.
//
//	if resident.Asked(os.Args) {
//		err := resident.Serve(inFlight, func(r *resident.Request) (reply []string) { ... })
//	}
//
// # The protocol
//
// The parent starts the program with the one argument "--resident". Descriptors 0
// and 1 are /dev/null; 3 is one end of a Unix socketpair of type SOCK_SEQPACKET, on
// which each packet holds one or more records:
//
//	record  = kind number fields { field }        each of them a netstring
//
//	child    hello    0       2 device inode size mtime ctime requests
//	parent   request  number  descriptors { field }
//	child    reply    number  { field }
//	child    refuse   number                       nothing was done
//	child    crash    number                       there was a panic while it was done
//	parent   ping     number
//	child    pong     number
//
// fields is how many there are. The hello is the first record, in a packet of its
// own. 2 is the version of the protocol, the next five
// say which file the child is executing, and requests is how many requests it
// takes at once. Requests come in any number up to that, each with up to MaxFiles
// descriptors passed by SCM_RIGHTS, those of the first one in a packet first; replies come in any order. A child that has
// seen the end of the socket does what was asked before, and exits.
//
// A packet has at most MaxRecord bytes and maxPacketFiles descriptors, a record at most
// MaxFields fields.
//
// # Whom a parent keeps
//
// Only a program that is executing the very file which the parent started is kept:
// device, inode, size and times in the hello are those that the parent saw before.
// A script that signs the message and then executes the real program is a
// different file, and must go on seeing every message. It, and every program that
// does not say hello, gets the classic interface: Call returns ErrClassic, before
// anything of the request has left the parent. The verdict holds for that version
// of the file. The file is looked at for each request, so that a program replaced
// while the system runs takes effect at once. See docs/design/residence.md.
//
// # Neither side trusts the other
//
// qmail-lspawn is root and its children are the users'; qmail-queue has rights that
// its parents lack. Whatever a peer sends, and however late, costs a bounded amount
// of memory, and no descriptor stays that was not asked for. A peer that breaks the
// protocol is given up. A child that is given up, dies, or is stopped turns the
// requests that it had into errors, which are temporary failures: whether they were
// done is not known, as with a program that crashed.
package resident

import "errors"

// Argument is what a program is started with that shall reside, its only one.
const Argument = "--resident"

const (
	// MaxRecord is how long a record, or all those in a packet, may be, in bytes.
	MaxRecord = 64 << 10
	// MaxFields is how many fields a record may have.
	MaxFields = 256
	// MaxFiles is how many descriptors may come with a request.
	MaxFiles = 8
	// maxPacketFiles is how many may come with a packet. It is even, so that the
	// kernel's rounding leaves no place for one more.
	maxPacketFiles = 32
)

// version of the protocol. A parent and a child of different versions do not take
// up with each other.
const version = "2"

// Socket is the descriptor of a child's socket. A program that closes what it did
// not ask for must keep it.
const Socket = 3

// What Call can return, for errors.Is. Any other error is like ErrLost.
var (
	// ErrClassic says that nothing was asked: the program is not to be kept, or
	// not now, or not with this request. The caller starts one process for it.
	ErrClassic = errors.New("not for a resident program")
	// ErrLost says that the child is gone, or does not answer. What was asked may
	// be done or not.
	ErrLost = errors.New("resident program lost")
	// ErrRefused says that the child could not take the request, and that nothing
	// was done.
	ErrRefused = errors.New("resident program refused the request")
	// ErrCrashed says that there was a panic in the child while it did what was
	// asked. It may be done or not.
	ErrCrashed = errors.New("resident program crashed")
)
