package local

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"goqmail/internal/deliver/dotqmail"
	"goqmail/internal/deliver/maildir"
	"goqmail/internal/deliver/mbox"
	"goqmail/internal/host/child"
	"goqmail/internal/host/errno"
	"goqmail/internal/host/mailbox"
	"goqmail/internal/mail/outcome"

	"golang.org/x/sys/unix"
)

// lockPatience is how long a delivery waits for the lock of a mailbox.
const lockPatience = 30 * time.Second

// followAll follows the instructions of the file, forwards the message, and reports.
// The text is gone through twice rather than to keep a list of forwards, which may
// be as long as the file.
func (a *attempt) followAll() error {
	a.forwardOnly = a.file.ForwardOnly
	followed := 0
	for i := range dotqmail.Instructions(a.file.Text) {
		followed++
		stop, err := a.follow(i)
		if err != nil {
			return err
		}
		if stop {
			break
		}
	}
	if a.forwards > 0 && !a.DryRun {
		if err := a.forward(a.file.Text, followed); err != nil {
			return err
		}
	}
	a.report()
	return nil
}

// follow follows one instruction, or prints it; forwards are only counted. It says
// whether to stop here, successfully.
func (a *attempt) follow(i dotqmail.Instruction) (stop bool, err error) {
	switch i.Kind {
	case dotqmail.BlankFirst:
		return false, errBlankFirst
	case dotqmail.ForwardOnly:
		a.forwardOnly = true
		return false, nil
	case dotqmail.Forward:
		a.forwards++
	case dotqmail.Program:
		a.programs++
		if a.forwardOnly {
			return false, errProgDelivery
		}
	default:
		a.files++
		if a.forwardOnly {
			return false, errFileDelivery
		}
	}
	if a.DryRun {
		a.Output.Print(fmt.Sprintln(i.Kind, i.Text))
		return false, nil
	}
	switch i.Kind {
	case dotqmail.Program:
		return a.program(i.Text)
	case dotqmail.Mbox:
		return false, a.mbox(i.Text)
	case dotqmail.Maildir:
		return false, a.maildir(i.Text)
	}
	return false, nil
}

// mbox appends the message to a mailbox.
func (a *attempt) mbox(name string) error {
	text, err := a.text()
	if err != nil {
		return err
	}
	m, err := mbox.Open(a.path(name))
	if err == nil {
		defer m.Close()
		err = m.Lock(lockPatience)
	}
	switch {
	case errors.Is(err, mailbox.ErrLocked):
		return errSlow
	case err != nil:
		return deferral("Unable to open %s: %s. (#4.2.1)", name, errno.Text(err))
	}
	err = m.Append(a.fromLine(), io.MultiReader(strings.NewReader(a.returnPath+a.deliveredTo), text))
	switch {
	case errors.Is(err, errRead):
		return deferral("Unable to read message: %s. (#4.3.0)", errno.Text(err))
	case err != nil:
		return deferral("Unable to write %s: %s. (#4.3.0)", name, errno.Text(err))
	}
	return nil
}

// maildir delivers the message into a maildir.
func (a *attempt) maildir(name string) error {
	text, err := a.text()
	if err != nil {
		return err
	}
	err = maildir.Deliver(a.path(name), a.Names, io.MultiReader(strings.NewReader(a.returnPath+a.deliveredTo), text))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errRead):
		return errMaildirRead
	case errors.Is(err, maildir.ErrEnter):
		return errMaildirEnter
	case errors.Is(err, maildir.ErrTimeout):
		return errMaildirTimeout
	}
	return errMaildir
}

// path resolves the name of a mailbox as if the home were the working directory.
func (a *attempt) path(name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	return a.Home + "/" + name
}

// program gives the message to a command of the shell. What its exit code means is
// in qmail-command(8).
func (a *attempt) program(command string) (stop bool, err error) {
	if err := a.rewind(); err != nil {
		return false, err
	}
	output, complaints, err := a.Output.Files()
	if err != nil {
		return false, deferral("Unable to fork: %s. (#4.3.0)", errno.Text(err))
	}
	p, err := child.Start(child.Command{
		Path:  "/bin/sh",
		Args:  []string{"/bin/sh", "-c", command},
		Env:   a.environment(),
		Dir:   a.Home,
		Files: []*os.File{a.Message, output, complaints},
	})
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOMEM):
		return false, deferral("Unable to fork: %s. (#4.3.0)", errno.Text(err))
	case err != nil:
		return false, deferral("Unable to run /bin/sh: %s. (#4.3.0)", errno.Text(err))
	}
	status, err := p.Wait()
	if err != nil || status.Crashed {
		return false, errCrashed
	}
	if status.Code == enough {
		return true, nil
	}
	if result := outcome.OfProgram(status.Code); result != outcome.Success {
		return false, refusal{outcome: result}
	}
	return false, nil
}

// enough is what a program exits with that makes the rest of the file be left alone.
const enough = 99

// forward hands the message to qmail-queue, for the addresses among the first
// instructions of a text.
func (a *attempt) forward(instructions []byte, followed int) error {
	text, err := a.text()
	if err != nil {
		return err
	}
	_, complaints, err := a.Output.Files()
	if err != nil {
		return deferral("Unable to fork: %s. (#4.3.0)", errno.Text(err))
	}
	queue := a.Queue
	queue.Env, queue.Errors = a.environment(), complaints
	m, err := queue.Open()
	if err != nil {
		return deferral("Unable to fork: %s. (#4.3.0)", errno.Text(err))
	}
	m.WriteString(a.deliveredTo)
	if _, err := io.Copy(m, text); err != nil {
		m.Cancel()
	}
	m.From(a.newSender)
	for i := range dotqmail.Instructions(instructions) {
		if followed == 0 {
			break
		}
		followed--
		if i.Kind == dotqmail.Forward {
			m.To(i.Text)
		}
	}
	if err := m.Close(); err != nil {
		return refusal{outcome.Of(err), fmt.Sprintf("Unable to forward message: %v.", err)}
	}
	a.qp = m.Pid()
	return nil
}
