// Package aliases makes and prints the files that fastforward(1) forwards by: a
// database of targets, and lists of addresses. Their formats are those of the
// fastforward package that has always gone with qmail.
//
// # Database
//
// A forwarding database is a cdb(5) with two kinds of records:
//
//	":" target    { command NUL }    what is done with mail for the target
//	"?" target    address            the envelope sender of what is forwarded
//
// A target is user@host, @host for all users there that are no targets themselves, or
// user@ for a user at all hosts; it is in lower case.
//
// # List
//
// A list is { command NUL } as well, where a command can only be an address or
// another list.
//
// # Commands
//
//	&address     forward to the address
//	/... ./...   do what a list says, which is a file with this name
//	|program     give the message to a program, a command of the shell
//	!program     the same, with the three lines of preline(1) before the message
package aliases

import (
	"bytes"
	"errors"
	"fmt"

	"goqmail/internal/host/cdb"
	"goqmail/internal/host/durable"
	"goqmail/internal/host/errno"
	"goqmail/internal/mail/outcome"
)

const (
	// MaxAddress is the longest address that is put into a file, in bytes.
	MaxAddress = 800
	// maxStored is the longest address with its & that is believed there.
	maxStored = 899
	// maxCommand is the longest command, in bytes.
	maxCommand = 64 << 10
)

// Kinds of commands, by their first byte. Dot and Slash are lists.
const (
	Address         = '&'
	Dot             = '.'
	Slash           = '/'
	Program         = '|'
	PrefixedProgram = '!'
)

// OwnerKey is where the owner of a target is. The target must be in lower case.
func OwnerKey(target string) string { return "?" + target }

// TargetKey is where the commands for a target are. It must be in lower case.
func TargetKey(target string) string { return ":" + target }

// ErrFormat says that a record or a list is malformed.
var ErrFormat = errors.New("malformed instructions")

// Commands takes the commands out of a record or a list. Where one of them is
// malformed, none counts: it might be somebody who should get the message.
func Commands(data []byte) (commands []string, err error) {
	for len(data) > 0 {
		command, rest, found := bytes.Cut(data, []byte{0})
		if !found || !valid(command) {
			return nil, ErrFormat
		}
		commands = append(commands, string(command))
		data = rest
	}
	return commands, nil
}

// valid tells whether a command can be in a file.
func valid(command []byte) bool {
	if len(command) == 0 {
		return false
	}
	switch command[0] {
	case Dot, Slash, Program, PrefixedProgram:
		return true
	case Address:
		return len(command) <= maxStored
	}
	return false
}

// IsList tells whether a command is the name of a list.
func IsList(command string) bool { return command[0] == Dot || command[0] == Slash }

// replaceError puts an error of durable.Replace into words; others stay as they
// are.
func replaceError(err error, path, temp string) error {
	switch {
	case errors.Is(err, durable.ErrCreate):
		return fmt.Errorf("unable to create %s: %s", temp, errno.Text(err))
	case errors.Is(err, durable.ErrWrite):
		return fmt.Errorf("unable to write to %s: %s", temp, errno.Text(err))
	case errors.Is(err, durable.ErrMove):
		return fmt.Errorf("unable to move %s to %s: %s", temp, path, errno.Text(err))
	}
	return err
}

// add adds a record to a database. Errors of the database are those of writing the
// file.
func add(w *cdb.Writer, key string, data []byte) error {
	if len(data) > cdb.MaxData {
		return outcome.Fail("more than 1 MiB of instructions for %s", key[1:])
	}
	if err := w.Add(key, data); err != nil {
		return fmt.Errorf("%w: %w", durable.ErrWrite, err)
	}
	return nil
}

// inputError is an error of reading what a file is made of.
func inputError(err error) error {
	return fmt.Errorf("unable to read input: %s", errno.Text(err))
}
