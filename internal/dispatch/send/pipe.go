package send

import (
	"os"

	"goqmail/internal/wire/spawn"

	"golang.org/x/sys/unix"
)

// maxPending is how many bytes of commands wait before no more deliveries are
// started. It is as much as a pipe holds.
const maxPending = 64 << 10

// A pipe carries commands to a spawner. The scheduler writes what the pipe takes at
// once; if that is not all, a goroutine waits until the rest is written, so that a
// spawner that does not read holds nobody up.
type pipe struct {
	file    *os.File // non-blocking
	pending []byte
	waiting bool // a goroutine is writing
}

// room tells whether more commands may be added.
func (p *pipe) room() bool { return len(p.pending) < maxPending }

// add adds a command.
func (p *pipe) add(c spawn.Command, w spawn.Width) { p.pending = c.Append(p.pending, w) }

// writeCommands writes the commands that have come together for a spawner.
func (s *scheduler) writeCommands(c *channel) {
	p := &c.pipe
	if len(p.pending) == 0 || p.waiting || !c.alive {
		return
	}
	n, err := p.try()
	if err != nil {
		spawnerLost{c}.apply(s)
		s.writeRecord()
		return
	}
	if n == len(p.pending) {
		s.more = s.more || !p.room() // which there is now
		p.pending = p.pending[:0]
		return
	}
	rest := append([]byte(nil), p.pending[n:]...)
	p.pending, p.waiting = p.pending[:0], true
	go func() {
		_, err := p.file.Write(rest)
		s.tell(written{c, err})
	}()
}

// try writes as much as the pipe takes at once.
func (p *pipe) try() (written int, err error) {
	raw, err := p.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		for written < len(p.pending) {
			n, err := unix.Write(int(fd), p.pending[written:])
			switch {
			case err == unix.EINTR:
				continue
			case err == unix.EAGAIN:
				return true
			case err != nil:
				failed = err
				return true
			}
			written += n
		}
		return true
	})
	if err == nil {
		err = failed
	}
	return written, err
}

// written is the event that the rest of some commands is written.
type written struct {
	channel *channel
	err     error
}

func (e written) apply(s *scheduler) {
	e.channel.pipe.waiting = false
	if e.err != nil {
		spawnerLost{e.channel}.apply(s)
	}
}
