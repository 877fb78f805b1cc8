package aliases

import (
	"bufio"
	"io"

	"goqmail/internal/host/cdb"
	"goqmail/internal/mail/fold"
	"goqmail/internal/mail/outcome"
)

// Usages of the programs with two files for arguments.
const (
	usageSetforward  = outcome.Usage("setforward data.cdb data.tmp")
	usageSetmaillist = outcome.Usage("setmaillist list.bin list.tmp")
)

// What can be wrong with instructions.
var (
	errSemicolon = outcome.Fail("final instruction must end with semicolon")
	errColons    = outcome.Fail("double colons are not permitted")
	errComma     = outcome.Fail("commas are not permitted before colons")
	errNUL       = outcome.Fail("NUL bytes are not permitted")
	errAddress   = outcome.Fail("addresses over 800 bytes are not permitted")
	errLong      = outcome.Fail("targets and commands over 65536 bytes are not permitted")
)

// Setforward makes a database args[0], by way of args[1], of instructions
// (setforward(1)):
//
//	target: command, command, ... ;
//
// White space, line ends, and what is between a # and the end of its line are left
// out, wherever they stand; a backslash puts any byte into a target or a command. A
// command that begins with ? is the owner of the target. One that begins with none
// of the marks of a command is an address.
func Setforward(instructions io.Reader, args []string) error {
	if len(args) < 2 {
		return usageSetforward
	}
	err := cdb.Replace(args[0], args[1], func(w *cdb.Writer) error {
		t := table{r: bufio.NewReader(instructions), w: w}
		for {
			if err := t.step(); err == io.EOF {
				return t.end()
			} else if err != nil {
				return err
			}
		}
	})
	return replaceError(err, args[0], args[1])
}

// A table is read byte by byte.
type table struct {
	r *bufio.Reader
	w *cdb.Writer

	colon    bool // of the current instruction has been read
	target   []byte
	command  []byte
	commands []byte // those before, each with a NUL
}

// step reads what the next byte means.
func (t *table) step() error {
	c, err := t.next()
	if err != nil {
		return err
	}
	switch c {
	case '#':
		for c != '\n' && err == nil {
			c, err = t.next()
		}
		return err
	case ' ', '\t', '\n':
		return nil
	case ':':
		if t.colon {
			return errColons
		}
		t.colon = true
		return nil
	case ',', ';':
		return t.finish(c == ';')
	case '\\':
		if c, err = t.next(); err != nil {
			return err
		}
	}
	return t.append(c)
}

func (t *table) next() (byte, error) {
	c, err := t.r.ReadByte()
	if err != nil && err != io.EOF {
		err = inputError(err)
	}
	return c, err
}

// append adds a byte to the target or the command.
func (t *table) append(c byte) error {
	if c == 0 {
		return errNUL
	}
	to := &t.target
	if t.colon {
		to = &t.command
	}
	if len(*to) == maxCommand {
		return errLong
	}
	*to = append(*to, c)
	return nil
}

// finish ends a command, and the instruction with it if it is the last one.
func (t *table) finish(last bool) error {
	if !t.colon {
		return errComma
	}
	if err := t.finishCommand(); err != nil {
		return err
	}
	if !last {
		return nil
	}
	var err error
	if len(t.commands) > 0 {
		err = add(t.w, TargetKey(t.key()), t.commands)
	}
	t.colon, t.target, t.commands = false, t.target[:0], t.commands[:0]
	return err
}

func (t *table) finishCommand() error {
	command := t.command
	t.command = t.command[:0]
	if len(command) == 0 {
		return nil
	}
	switch command[0] {
	case '?':
		return add(t.w, OwnerKey(t.key()), command[1:])
	case Dot, Slash, Program, PrefixedProgram:
	default:
		if len(command) > MaxAddress {
			return errAddress
		}
		if command[0] != Address {
			t.commands = append(t.commands, Address)
		}
	}
	t.commands = append(t.commands, command...)
	t.commands = append(t.commands, 0)
	if len(t.commands) > cdb.MaxData {
		return outcome.Fail("more than 1 MiB of instructions for %s", t.target)
	}
	return nil
}

func (t *table) key() string { return fold.Lower(string(t.target)) }

// end looks whether the table is complete.
func (t *table) end() error {
	if t.colon || len(t.target) > 0 {
		return errSemicolon
	}
	return nil
}
