package listen

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"goqmail/internal/accept/connection"
	"goqmail/internal/host/control"
	"goqmail/internal/host/socket"
	"goqmail/internal/host/tcprules"
	"goqmail/internal/wire/dialog"
	"goqmail/internal/wire/dns"
	"goqmail/internal/wire/resident"
	"goqmail/internal/wire/submit"
)

// A Server has listening sockets and serves those who connect.
type Server struct {
	Service
	options  Options
	sockets  []*socket.Listener
	env      connection.Environment // what each connection's begins with
	me       string                 // TCPLOCALHOST
	rules    *tcprules.File         // nil means none
	controls *controls
	counts   *counts
	queue    *submit.Resident
	resolver resolver
	log      func(lines string) // complete lines, without the name of the program

	mu       sync.Mutex
	clients  map[*client]struct{}
	number   uint64 // of the last connection
	stopping bool
	empty    chan struct{} // closed when it is stopping and has no clients
}

// resolvConf says whom to ask for names.
const resolvConf = "/etc/resolv.conf"

func newServer(service Service, options Options, sockets []*socket.Listener, environ []string) (*Server, error) {
	dir := control.In(service.Home)
	s := &Server{
		Service: service,
		options: options,
		sockets: sockets,
		env:     baseEnvironment(environ),
		me:      options.LocalName,
		counts:  newCounts(),
		queue:   submit.NewResident(service.Home),
		log:     func(lines string) { unix.Write(2, []byte(prefixed(service.Program, lines))) },
		clients: map[*client]struct{}{},
		empty:   make(chan struct{}),
	}
	names := append([]string{"residence"}, service.Controls...)
	s.controls = &controls{
		read: func() (version, error) {
			residence, err := resident.Wanted(dir)
			if err != nil {
				return version{}, err
			}
			p, err := service.Read(dir)
			return version{Protocol: p, oneByOne: !residence}, err
		},
		stamp: func() string { return dir.Stamp(names...) },
	}
	if options.Names {
		s.resolver = dns.FromFile(resolvConf)
	}
	if options.Rules != "" {
		s.rules = tcprules.New(options.Rules)
	}
	if s.me == "" {
		var err error
		if s.me, err = dir.LineOr("me", ""); err != nil {
			return nil, err
		}
	}
	v, err := s.controls.get()
	if err != nil {
		return nil, err
	}
	s.controls.done(v)
	return s, nil
}

// prefixed puts the name of a program before each line.
func prefixed(program, lines string) string {
	var b strings.Builder
	for line := range strings.Lines(lines) {
		b.WriteString(program + ": " + line)
	}
	return b.String()
}

// Run serves clients until a TERM among the signals, and what that leaves has ended.
func (s *Server) Run(signals <-chan os.Signal) error {
	if s.Trusting && s.rules == nil {
		s.complain("warning: without rules (-x) this host is an open relay: anyone who can connect can send mail to anywhere\n")
	}
	for _, l := range s.sockets {
		s.status(fmt.Sprintf("listening on %s\n", l.Addr()))
		go s.accept(l)
	}
	var end <-chan time.Time
	for {
		select {
		case signal := <-signals:
			switch {
			case signal == syscall.SIGHUP:
				s.status("rereading controls\n")
				s.controls.again()
			case signal == syscall.SIGTERM && end != nil:
				return s.cut()
			case signal == syscall.SIGTERM:
				s.stop()
				end = time.After(s.options.Grace)
			}
		case <-s.empty:
			s.queue.Close()
			s.status("stopped\n")
			return nil
		case <-end:
			return s.cut()
		}
	}
}

// stop begins the end: nobody new, and who is idle goes.
func (s *Server) stop() {
	socket.CloseAll(s.sockets)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	s.status(fmt.Sprintf("stopping: %d connections\n", len(s.clients)))
	for c := range s.clients {
		c.socket.Stop()
	}
	if len(s.clients) == 0 {
		close(s.empty)
	}
}

// cut ends the server with connections still open. What they have not been told to
// be accepted is not.
func (s *Server) cut() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.clients) == 0 {
		s.queue.Close()
		s.status("stopped\n")
		return nil
	}
	s.complain(fmt.Sprintf("warning: stopped with %d connections still open\n", len(s.clients)))
	return nil
}

// accept serves who connects to a socket, until that is closed.
func (s *Server) accept(l *socket.Listener) {
	const shortest, longest = 50 * time.Millisecond, time.Second
	pause := shortest
	for {
		a, err := l.Accept()
		switch {
		case err == nil:
			pause = shortest
			s.begin(a)
		case errors.Is(err, os.ErrClosed):
			return
		case err == socket.ErrPassing:
		default:
			// Clients wait in the kernel meanwhile.
			s.complain("warning: unable to accept a connection: " + err.Error() + "\n")
			time.Sleep(pause)
			pause = min(2*pause, longest)
		}
	}
}

// begin takes a connection in, or refuses it.
func (s *Server) begin(a socket.Accepted) {
	line, err := dialog.NewSocket(a.FD)
	if err != nil {
		s.complain("warning: unable to serve a connection: " + err.Error() + "\n")
		return
	}
	c := &client{socket: line, ends: connection.Endpoints{Remote: a.Remote, Local: a.Local}}
	if !s.enter(c) {
		s.refuse(c, tooMany)
		c.socket.Close()
		return
	}
	go s.hold(c)
}

// enter counts a connection in, if there is room, and logs it.
func (s *Server) enter(c *client) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	c.number = s.number
	full := len(s.clients) >= s.options.Most
	if !full {
		s.clients[c] = struct{}{}
		if s.stopping {
			c.socket.Stop()
		}
	}
	s.status(fmt.Sprintf("status: %d/%d\npid %d from %s\n", len(s.clients), s.options.Most, c.number, c.ends.Remote.Addr()))
	if full {
		s.status(fmt.Sprintf("end %d status 0: %s\n", c.number, tooMany))
	}
	return !full
}

// leave counts a connection out.
func (s *Server) leave(c *client, how string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, c)
	s.status(fmt.Sprintf("end %d %s\nstatus: %d/%d\n", c.number, how, len(s.clients), s.options.Most))
	if s.stopping && len(s.clients) == 0 {
		close(s.empty)
	}
}

// status logs what is only told with -v.
func (s *Server) status(lines string) {
	if s.options.Verbose {
		s.log(lines)
	}
}

// complain logs what is told unless -q.
func (s *Server) complain(lines string) {
	if !s.options.Quiet {
		s.log(lines)
	}
}

// maxTraceback bounds what is logged of a panic, in bytes.
const maxTraceback = 8 << 10

// traceback makes lines for the log.
func traceback(stack []byte) string {
	text := string(stack[:min(len(stack), maxTraceback)])
	return "trace: " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\ntrace: ") + "\n"
}

// oneLine makes one line of a text, part of which a client may have chosen.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, text)
}
