// Package listen is a network server that serves many clients at once, from
// listening sockets on, in one process: what tcpserver(1) and a process for each
// connection do otherwise.
//
// The life of a connection, in a goroutine of its own:
//
//	accept    with fewer than -c connections; one more is refused
//	PROXY     where it comes from a network in -y, its header tells who the client is
//	count     no more than -i of one address and -n of one network, or refused
//	names     the client's name and user, as asked for
//	rules     of -x: closed without a word, or variables for its environment
//	controls  as they are now; those that changed have been read again
//	serve     the protocol, the same as on descriptors 0 and 1
//	end       closed, counted down, logged
//
// A client that is refused is told so in the words of the protocol, if it has any.
// The rules may set MAXCONNIP and MAXCONNC for a client, in place of -i and -n.
//
// A bug that panics ends the connection that it happened in; the client is told
// that there was an error, and nothing that it had not been told to be accepted is.
// What is shared by connections (counts, rules, controls) is locked for the time of
// a look-up only, so that a connection that hangs holds up no other.
//
// TERM closes the listening sockets. Clients that have no transaction in progress
// are told to come again later, the others when they have finished theirs; those
// that have not after -w seconds are cut off, or at a second TERM. HUP has the
// control files read again, changed or not.
//
// The log is on descriptor 2. Each line begins with the name of the program. With
// -v there are those of tcpserver, with a number for each connection in place of a
// process's:
//
//	status: 1/500
//	pid 17 from 192.0.2.1
//	ok 17 mx.example:192.0.2.9:25 relay.example:192.0.2.1:joe:4312
//	deny 17 mx.example:192.0.2.9:25 relay.example:192.0.2.1:joe:4312
//	end 17 status 0
//
// The status of one that ended badly is 256 times the exit code of the program that
// would have served it alone, and the reason follows.
package listen

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"goqmail/internal/accept/connection"
	"goqmail/internal/host/confine"
	"goqmail/internal/host/control"
	"goqmail/internal/host/privilege"
	"goqmail/internal/host/socket"
	"goqmail/internal/mail/outcome"
)

// A Service is what a server does for its clients.
type Service struct {
	Program  string // its name
	User     string // whom to become, where it is started as root
	Home     string
	Controls []string                            // control files that it reads
	Read     func(control.Dir) (Protocol, error) // reads them
	ExitCode func(err error) int                 // of the program that has served one client
	Trusting bool                                // whoever may connect may send mail to anywhere
	Refusal  func(text string) string            // what a client is told that cannot be served; nil means nothing
}

// A Protocol holds conversations by what the control files say, any number of them
// at once.
type Protocol interface {
	Serve(connection.Client) error
	Close() error
}

// ErrNothing says that there is nothing to listen on.
var ErrNothing = errors.New("nothing to listen on: neither -a nor a listening socket from the service manager")

// Prepare makes a server out of what a program was started with: options, or
// listening sockets (see socket.Inherited). Without either it returns nil: the
// program is to serve one client, on descriptors 0 and 1. As the programs always
// have, they take no notice of other arguments then.
//
// The sockets are open and the process has become the user when it returns. With -C it
// has given up files, and so has whatever it starts: see confine.Heirs.
func Prepare(service Service, args, environ []string) (*Server, error) {
	sockets, err := socket.Inherited(environ, os.Getpid())
	if err != nil {
		return nil, err
	}
	if len(sockets) == 0 && (len(args) == 0 || !strings.HasPrefix(args[0], "-")) {
		return nil, nil
	}
	options, err := ParseOptions(service.Program, args)
	if err != nil {
		return nil, err
	}
	more, err := socket.Listen(options.Addresses)
	if err != nil {
		return nil, err
	}
	sockets = slices.Concat(sockets, more)
	if len(sockets) == 0 {
		return nil, outcome.Permanent(ErrNothing)
	}
	var confined error
	if options.Confine {
		confined = confine.Heirs(options.files(service.Home)...)
		if confined != nil && confined != confine.ErrUnsupported {
			return nil, confined
		}
	}
	if err := privilege.Drop(service.User); err != nil {
		return nil, fmt.Errorf("unable to become %s: %w", service.User, err)
	}
	if err := enoughFiles(options.Most); err != nil {
		return nil, err
	}
	s, err := newServer(service, options, sockets, environ)
	if err == nil && confined != nil {
		s.complain("warning: -C: " + confined.Error() + ", or this is not root\n")
	}
	return s, err
}

// files is what a process needs that has its sockets: control files, rules, the queue by way
// of qmail-queue, and a place for the recipients of large messages.
func (o *Options) files(home string) []confine.Rule {
	rules := append(confine.WithQueue(home), confine.Rule{Path: os.TempDir(), Allow: confine.Change})
	if o.Rules != "" {
		rules = append(rules, confine.Rule{Path: filepath.Dir(o.Rules), Allow: confine.Read}) // where new ones will be moved to
	}
	return rules
}

// filesPerConnection is how many descriptors a connection may need: itself, the
// pipes to qmail-queue, a file with many recipients, a question about a name.
const filesPerConnection = 8

// enoughFiles makes sure that the process may open enough files; the Go runtime has
// raised the limit as far as it can be.
func enoughFiles(connections int) error {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return os.NewSyscallError("getrlimit", err)
	}
	const others = 32
	need := uint64(connections)*filesPerConnection + others
	if r.Cur < need {
		return fmt.Errorf("%d connections need a limit of %d open files, and it is %d: raise it, or lower -c", connections, need, r.Cur)
	}
	return nil
}

// baseEnvironment is what connections have of the environment of the process:
// nothing that tells about another connection or about listening sockets.
func baseEnvironment(environ []string) connection.Environment {
	return slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return name == "PROTO" || strings.HasPrefix(name, "TCPLOCAL") || strings.HasPrefix(name, "TCPREMOTE") ||
			strings.HasPrefix(name, "LISTEN_")
	})
}

// within tells whether an address is in one of some networks.
func within(networks []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a.WithZone("")) })
}
