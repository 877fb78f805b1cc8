package listen

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"runtime/debug"
	"time"

	"goqmail/internal/accept/connection"
	"goqmail/internal/host/tcprules"
	"goqmail/internal/wire/dialog"
	"goqmail/internal/wire/proxy"
)

// What a client is told that cannot be served.
const (
	unreadable = "unable to read controls (#4.3.0)"
	broken     = "internal error (#4.3.0)"
)

const (
	headerPatience  = 10 * time.Second // for a PROXY header
	refusalPatience = 5 * time.Second  // for the client to take a refusal in
	lingerPatience  = 2 * time.Second  // for it to take the last reply in
)

// A client is a connection.
type client struct {
	number  uint64
	socket  *dialog.Socket
	ends    connection.Endpoints
	counted netip.Addr // as whose it is counted, if it is
	host    string     // "" if not known
	user    *string    // nil if not known
}

// hold serves a client to the end.
func (s *Server) hold(c *client) {
	code, err := s.contain(c)
	if c.counted.IsValid() {
		s.counts.leave(c.counted)
	}
	c.close(err)
	how := fmt.Sprintf("status %d", code<<8)
	if code != 0 && err != nil {
		how += ": " + oneLine(err.Error())
	}
	s.leave(c, how)
}

// A panicked error is what a bug has left.
type panicked struct{ value any }

func (p *panicked) Error() string { return fmt.Sprint("panic: ", p.value) }

// contain serves a client, and ends with it what goes wrong. It returns the exit
// code of a program that had done so.
func (s *Server) contain(c *client) (code int, err error) {
	defer func() {
		if p := recover(); p != nil {
			code, err = 111, &panicked{p}
			s.complain(fmt.Sprintf("error: connection %d: panic: %s\n", c.number, oneLine(fmt.Sprint(p))))
			s.complain(traceback(debug.Stack()))
			s.refuse(c, broken)
		}
	}()
	env, refusal, err := s.admit(c)
	switch {
	case err != nil:
		s.complain(fmt.Sprintf("warning: connection %d: %s\n", c.number, oneLine(err.Error())))
		s.refuse(c, refusal)
		return 111, err
	case refusal != "":
		s.refuse(c, refusal)
		return 0, nil
	case env == nil: // denied
		return 0, nil
	}
	v, err := s.controls.get()
	if err != nil {
		s.complain(fmt.Sprintf("warning: connection %d: %s\n", c.number, err))
		s.refuse(c, unreadable)
		return 111, err
	}
	defer s.controls.done(v)
	client := connection.Of(c.socket, env, s.Home, func(text string) {
		s.complain(fmt.Sprintf("connection %d: %s\n", c.number, oneLine(text)))
	})
	if !v.oneByOne {
		client.Queue.Resident = s.queue
	}
	err = v.Serve(client)
	return s.ExitCode(err), err
}

// admit finds out who the client is and what it may do. Without an environment it
// is not to be served; the refusal, if any, tells it why.
func (s *Server) admit(c *client) (env connection.Environment, refusal string, err error) {
	if within(s.options.Proxies, c.ends.Remote.Addr()) {
		if err := c.readHeader(); err != nil {
			return nil, "", err
		}
	}
	verdict, err := s.verdict(c)
	if err != nil {
		return nil, unreadable, err
	}
	ip := c.ends.Remote.Addr()
	perAddress := limit(verdict.Env, variableOfAddress, s.options.PerAddress)
	perNetwork := limit(verdict.Env, variableOfNetwork, s.options.PerNetwork)
	if refusal := s.counts.enter(ip, perAddress, perNetwork); refusal != "" {
		s.status(fmt.Sprintf("refused %d %s: %s\n", c.number, s.describe(c), refusal))
		return nil, refusal, nil
	}
	c.counted = ip
	if s.identify(c) {
		if verdict, err = s.verdict(c); err != nil {
			return nil, unreadable, err
		}
	}
	if verdict.Deny {
		s.status(fmt.Sprintf("deny %d %s\n", c.number, s.describe(c)))
		return nil, "", nil
	}
	s.status(fmt.Sprintf("ok %d %s\n", c.number, s.describe(c)))
	return s.environment(c, verdict), "", nil
}

// readHeader reads a PROXY header.
func (c *client) readHeader() error {
	c.socket.Limit(0, time.Now().Add(headerPatience))
	r := bufio.NewReader(c.socket)
	h, err := proxy.Read(r)
	if err != nil {
		return fmt.Errorf("from %s, which is to send a PROXY header: %w", c.ends.Remote.Addr(), err)
	}
	rest, _ := r.Peek(r.Buffered())
	c.socket.Unread(rest)
	if !h.Local {
		c.ends = connection.Endpoints{Remote: h.Source, Local: h.Destination}
	}
	c.socket.Limit(0, time.Time{})
	return nil
}

// verdict asks the rules, with what is known of the client so far.
func (s *Server) verdict(c *client) (tcprules.Verdict, error) {
	if s.rules == nil {
		return tcprules.Verdict{}, nil
	}
	v, err := s.rules.Find(tcprules.Client{IP: c.ends.Remote.Addr().WithZone("").String(), Host: c.host, Info: c.user})
	if s.options.RulesOrNone && errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return v, err
}

// identify asks for the client's name and user, and tells whether there was one.
func (s *Server) identify(c *client) bool {
	if s.options.Names {
		c.host = nameOf(s.resolver, c.ends.Remote.Addr(), s.options.Paranoid)
	}
	if s.options.Users {
		c.user = userOf(c.ends, s.options.UserTimeout)
	}
	return c.host != "" || c.user != nil
}

// environment is that of a connection.
func (s *Server) environment(c *client, v tcprules.Verdict) connection.Environment {
	variables := c.ends.Variables()
	if s.me != "" {
		variables = append(variables, "TCPLOCALHOST="+s.me)
	}
	if c.host != "" {
		variables = append(variables, "TCPREMOTEHOST="+c.host)
	}
	if c.user != nil {
		variables = append(variables, "TCPREMOTEINFO="+*c.user)
	}
	return s.env.With(append(variables, v.Env...))
}

// describe names both ends as tcpserver does.
func (s *Server) describe(c *client) string {
	user := ""
	if c.user != nil {
		user = *c.user
	}
	return fmt.Sprintf("%s:%s:%d %s:%s:%s:%d", s.me, c.ends.Local.Addr(), c.ends.Local.Port(),
		c.host, c.ends.Remote.Addr(), user, c.ends.Remote.Port())
}

// refuse tells a client why it is not served, if there is a way to.
func (s *Server) refuse(c *client, text string) {
	if s.Refusal == nil || text == "" {
		return
	}
	c.socket.Limit(0, time.Now().Add(refusalPatience))
	c.socket.Write([]byte(s.Refusal(text)))
}

// close closes the connection. A client that may have sent more than was read gets
// the time to take in what it was told last, which the kernel would throw away
// otherwise.
func (c *client) close(err error) {
	if err != nil && !silent(err) {
		c.socket.CloseWrite()
		c.socket.Limit(0, time.Now().Add(lingerPatience))
		const most = 1 << 20
		io.CopyN(io.Discard, c.socket, most)
	}
	c.socket.Close()
}

// silent tells whether a session has ended where the client was not sending.
func silent(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, dialog.ErrStopped, os.ErrDeadlineExceeded} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}
