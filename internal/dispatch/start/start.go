// Package start starts the daemons that work on the queue, each as its own user,
// with pipes between them (qmail-start(8)):
//
//	logger        qmaill  nofiles   0 the log
//	qmail-lspawn  root    qmail     0 commands, 1 reports
//	qmail-rspawn  qmailr  qmail     0 commands, 1 reports
//	qmail-clean   qmailq  qmail     0 requests, 1 answers
//	qmail-send    qmails  qmail     0 the log
//	                                1 to and 2 from qmail-lspawn
//	                                3 to and 4 from qmail-rspawn
//	                                5 to and 6 from qmail-clean
//
// None of them has any other descriptor. The process itself becomes qmail-send, so
// that the signals of a supervisor get there. With no logger the log goes to
// descriptor 1 as it was given.
//
// Everybody has an end of somebody's pipe, and leaves when that closes: when one
// daemon is gone, all go.
//
// Before the process becomes qmail-send it gives up, by Landlock, all files but the queue,
// settings, and the programs beside qmail-send, for qmail-send and the qmail-queue that
// this starts. That is only where both are our own, for a scanner in the place of
// qmail-queue needs other files.
//
// Where qmail-send and both spawners are our own programs, each is started with one
// more argument, and they number their deliveries in four bytes rather than in one
// (package wire/spawn). One of somebody else's among them and all speak as qmail
// always did.
package start

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"goqmail/internal/host/account"
	"goqmail/internal/host/child"
	"goqmail/internal/host/confine"
	"goqmail/internal/host/privilege"
	"goqmail/internal/wire/resident/vouch"
	"goqmail/internal/wire/spawn"
)

// A System says what is started.
type System struct {
	Home    string
	Default string   // default delivery, for qmail-lspawn
	Logger  []string // program, found in PATH, and its arguments; none if empty
	Wide    bool     // use wide numbers where that can be
	Confine bool     // confine qmail-send where that can be: the environment names no other qmail-queue
}

// identities are who the daemons run as.
type identities struct {
	qmaill, root, qmailr, qmailq child.Identity
}

func lookUp() (who identities, err error) {
	qmail, err1 := account.LookupGroup("qmail")
	nofiles, err2 := account.LookupGroup("nofiles")
	qmaill, err3 := account.LookupUser("qmaill")
	qmailr, err4 := account.LookupUser("qmailr")
	qmailq, err5 := account.LookupUser("qmailq")
	return identities{
		qmaill: child.Identity{UID: qmaill.UID, GID: nofiles},
		root:   child.Identity{UID: 0, GID: qmail},
		qmailr: child.Identity{UID: qmailr.UID, GID: qmail},
		qmailq: child.Identity{UID: qmailq.UID, GID: qmail},
	}, errors.Join(err1, err2, err3, err4, err5)
}

// Become starts the daemons and becomes qmail-send. It returns only where that
// fails; daemons that run by then leave, since their pipes close with the process.
func (s System) Become() error {
	who, err := lookUp()
	if err != nil {
		return err
	}
	log, err := s.startLogger(who.qmaill)
	if err != nil {
		return err
	}
	// The descriptors of qmail-send, in order.
	theirs := []*os.File{log}
	var wide []string
	if s.Wide && s.ours("qmail-send", "qmail-lspawn", "qmail-rspawn") {
		wide = []string{spawn.WideArgument}
	}
	for _, d := range []struct {
		as   child.Identity
		args []string
	}{
		{who.root, append([]string{"qmail-lspawn", s.Default}, wide...)},
		{who.qmailr, append([]string{"qmail-rspawn"}, wide...)},
		{who.qmailq, []string{"qmail-clean"}},
	} {
		to, from, err := s.startDaemon(d.args, d.as)
		if err != nil {
			return err
		}
		theirs = append(theirs, to, from)
	}
	return s.becomeSend(append([]string{"qmail-send"}, wide...), theirs)
}

// ours tells whether some programs are our own.
func (s System) ours(programs ...string) bool {
	for _, program := range programs {
		f, err := os.Open(s.path(program))
		if err != nil {
			return false
		}
		ours := vouch.For(program)(f)
		f.Close()
		if !ours {
			return false
		}
	}
	return true
}

func (s System) path(program string) string { return s.Home + "/bin/" + program }

// startLogger returns where the log goes.
func (s System) startLogger(as child.Identity) (log *os.File, err error) {
	if len(s.Logger) == 0 {
		return os.Stdout, nil
	}
	r, w, err := pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	_, err = child.StartFound(child.Command{Path: s.Logger[0], Args: s.Logger, Dir: "/", As: &as, Files: []*os.File{r, os.Stdout}})
	return w, err
}

// startDaemon starts a daemon and returns our ends of its pipes.
func (s System) startDaemon(args []string, as child.Identity) (to, from *os.File, err error) {
	in, to, err := pipe()
	if err != nil {
		return nil, nil, err
	}
	defer in.Close()
	from, out, err := pipe()
	if err != nil {
		return nil, nil, err
	}
	defer out.Close()
	_, err = child.Start(child.Command{Path: s.path(args[0]), Args: args, Dir: "/", As: &as, Files: []*os.File{in, out}})
	return to, from, err
}

// pipe makes a pipe of two blocking ends that no child inherits by chance.
func pipe() (r, w *os.File, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("unable to create pipe: %w", err)
	}
	return os.NewFile(uintptr(p[0]), "pipe"), os.NewFile(uintptr(p[1]), "pipe"), nil
}

// becomeSend gives the process qmail-send's user and descriptors, in that order, and
// executes it. The caller has seen to it that the runtime has nothing open on the
// descriptors from 3 on.
func (s System) becomeSend(args []string, files []*os.File) error {
	if err := os.Chdir("/"); err != nil {
		return err
	}
	// qmail-send cannot do this itself: without root it would have to give up set-uid
	// programs, and qmail-queue is one.
	if s.Confine && s.ours("qmail-send", "qmail-queue") {
		if err := confine.Heirs(confine.WithQueue(s.Home)...); err != nil && err != confine.ErrUnsupported {
			return err
		}
	}
	if err := privilege.Drop("qmails"); err != nil {
		return err
	}
	// First out of the way of each other. The caller's descriptor 2 is put back where
	// nothing comes of it.
	var fds []int
	for _, f := range append([]*os.File{os.Stderr}, files...) {
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, len(files))
		if err != nil {
			return os.NewSyscallError("dup", err)
		}
		fds = append(fds, fd)
	}
	complaints := fds[0]
	for target, fd := range fds[1:] {
		if err := unix.Dup3(fd, target, 0); err != nil {
			return os.NewSyscallError("dup", err)
		}
	}
	path := s.path(args[0])
	err := syscall.Exec(path, args, os.Environ())
	unix.Dup3(complaints, 2, 0)
	return fmt.Errorf("unable to run %s: %w", path, err)
}
