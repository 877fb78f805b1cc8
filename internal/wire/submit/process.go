package submit

import (
	"io"
	"os"

	"goqmail/internal/host/child"
)

// maxText bounds what qmail-queue says on descriptor 6, in bytes.
const maxText = 255

// pipes are our ends of what a qmail-queue reads.
type pipes struct{ message, envelope *os.File }

// newPipes makes them, and those ends that qmail-queue gets.
func newPipes() (ours, theirs pipes, err error) {
	if theirs.message, ours.message, err = child.PipeTo(); err != nil {
		return ours, theirs, err
	}
	if theirs.envelope, ours.envelope, err = child.PipeTo(); err != nil {
		ours.close()
		theirs.close()
	}
	return ours, theirs, err
}

func (p pipes) close() {
	p.message.Close() // a nil *os.File refuses in peace
	p.envelope.Close()
}

// A process is a qmail-queue for one message.
type process struct {
	pipes           // what is to be written to it
	text   *os.File // descriptor 6
	child  *child.Process
	failed error // why it does not run, a *Rejection
}

// start starts a qmail-queue with pipes of its own.
func (q Queue) start() (*process, error) {
	ours, theirs, err := newPipes()
	if err != nil {
		return nil, err
	}
	defer theirs.close()
	p, err := q.startOn(theirs)
	if err != nil {
		ours.close()
		return nil, err
	}
	p.pipes = ours
	return p, nil
}

// startOn starts a qmail-queue that reads from pipes.
func (q Queue) startOn(from pipes) (*process, error) {
	theirs, ours, err := child.PipeFrom()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	program := q.Program
	if program == "" {
		program = "bin/qmail-queue"
	}
	complaints := q.Errors
	if complaints == nil {
		complaints = os.Stderr
	}
	p := &process{text: ours}
	p.child, err = child.Start(child.Command{
		Path:  program,
		Args:  []string{program},
		Env:   q.Env,
		Dir:   q.Home,
		Files: []*os.File{from.message, from.envelope, complaints, nil, nil, nil, theirs},
	})
	if err != nil {
		p.failed = rejection(120, "")
		if _, err := os.Stat(q.Home); err != nil {
			p.failed = rejection(61, "")
		}
	}
	return p, nil
}

// pid is its process number, or 0 where it does not run.
func (p *process) pid() int {
	if p.child == nil {
		return 0
	}
	return p.child.Pid
}

// wait waits for the end of qmail-queue.
func (p *process) wait() verdict {
	text, _ := io.ReadAll(io.LimitReader(p.text, maxText))
	p.text.Close()
	if p.failed != nil {
		return verdict{err: p.failed}
	}
	v := verdict{qp: p.pid()}
	switch status, err := p.child.Wait(); {
	case err != nil:
		v.err = &Rejection{Text: "qq waitpid surprise (#4.3.0)"}
	case status.Crashed:
		v.err = &Rejection{Text: "qq crashed (#4.3.0)"}
	case status.Code != 0:
		v.err = rejection(status.Code, string(text))
	}
	return v
}
