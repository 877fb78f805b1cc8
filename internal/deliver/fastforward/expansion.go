package fastforward

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"goqmail/internal/deliver/aliases"
	"goqmail/internal/deliver/prefix"
	"goqmail/internal/host/cdb"
	"goqmail/internal/host/errno"
	"goqmail/internal/mail/fold"

	"golang.org/x/sys/unix"
)

// An expansion follows commands until only forwards are left.
type expansion struct {
	*Delivery
	db     *cdb.Reader
	sender string

	todo     []string // commands, the next one last
	done     map[string]bool
	forwards []string
	programs []string // in a dry run
	total    int      // bytes read
}

// begin deals with the recipient of the message.
func (e *expansion) begin(recipient string) error {
	targets := []string{recipient}
	if at := strings.LastIndexByte(recipient, '@'); at >= 0 {
		targets = append(targets, recipient[at:], recipient[:at+1])
	}
	if e.sender != "" && e.sender != "#@[]" {
		owner, found, err := e.find(aliases.OwnerKey, targets...)
		if err != nil {
			return err
		}
		if found {
			e.sender = string(owner)
		}
	}
	commands, found, err := e.find(aliases.TargetKey, targets...)
	switch {
	case err != nil:
		return err
	case !found:
		return errNoMailbox
	}
	return e.follow(commands)
}

// find returns the record of the first target that has one.
func (e *expansion) find(key func(string) string, targets ...string) (data []byte, found bool, err error) {
	for _, target := range targets {
		data, found, err = e.db.Find(key(fold.Lower(target)))
		if err != nil {
			return nil, false, e.readError(err)
		}
		if found {
			return data, true, e.count(data)
		}
	}
	return nil, false, nil
}

func (e *expansion) count(data []byte) error {
	if e.total += len(data); e.total > maxTotal {
		return errTooMuch
	}
	return nil
}

// follow runs the programs of a record and remembers its other commands.
func (e *expansion) follow(record []byte) error {
	commands, err := aliases.Commands(record)
	if err != nil {
		return e.readError(err)
	}
	for _, command := range commands {
		if command[0] != aliases.Program && command[0] != aliases.PrefixedProgram {
			e.todo = append(e.todo, command)
			continue
		}
		if e.dryRun {
			e.programs = append(e.programs, command)
			continue
		}
		err := prefix.Shell(prefix.Environment(e.Env), e.Files, command[1:], command[0] == aliases.PrefixedProgram)
		if err != nil {
			return err
		}
	}
	return nil
}

// step deals with an address or a list.
func (e *expansion) step() error {
	last := len(e.todo) - 1
	command := e.todo[last]
	e.todo = e.todo[:last]
	if e.done[command] {
		return nil
	}
	e.done[command] = true
	if aliases.IsList(command) {
		return e.readList(command)
	}
	address := command[1:]
	_, owned, err := e.find(aliases.OwnerKey, address)
	if err != nil {
		return err
	}
	if !owned {
		commands, found, err := e.find(aliases.TargetKey, address)
		if err != nil {
			return err
		}
		if found {
			return e.follow(commands)
		}
	}
	e.forwards = append(e.forwards, address)
	return nil
}

// readList remembers what a list says. It has to be readable for everybody: its name
// may come from somebody who must not read what this user can.
func (e *expansion) readList(name string) error {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("unable to read %s: %s", name, errno.Text(err))
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return fmt.Errorf("unable to stat %s: %s", name, errno.Text(err))
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", name)
	case info.Mode()&0o444 != 0o444:
		return fmt.Errorf("%s is not world-readable", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxTotal+1))
	if err != nil {
		return fmt.Errorf("unable to read %s: %s", name, errno.Text(err))
	}
	if err := e.count(data); err != nil {
		return err
	}
	commands, err := aliases.Commands(data)
	if err != nil {
		return fmt.Errorf("unable to read %s: %w", name, err)
	}
	for _, command := range commands {
		if command[0] != aliases.Address && !aliases.IsList(command) {
			return fmt.Errorf("unable to read %s: %w", name, aliases.ErrFormat)
		}
	}
	e.todo = append(e.todo, commands...)
	return nil
}

// describe says what would be done.
func (e *expansion) describe() string {
	var b strings.Builder
	for _, p := range e.programs {
		fmt.Fprintf(&b, "run %s\n", printable(p))
	}
	if len(e.forwards) == 0 {
		return b.String() + "no forwarding\n"
	}
	fmt.Fprintf(&b, "from <%s>\n", printable(e.sender))
	for _, address := range slices.Backward(e.forwards) {
		fmt.Fprintf(&b, "to <%s>\n", printable(address))
	}
	return b.String()
}

// printable puts an underscore in place of each control character.
func printable(text string) string {
	b := []byte(text)
	for i, c := range b {
		if c < ' ' {
			b[i] = '_'
		}
	}
	return string(b)
}
