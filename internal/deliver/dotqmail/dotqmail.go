// Package dotqmail reads .qmail files (dot-qmail(5)): what they say, and which of
// them is in charge of an address.
//
// A .qmail file is text, one instruction a line:
//
//	#...            a comment
//	/... or ./...   append the message to this mbox file; any line that begins
//	                with a slash or a dot
//	/.../ or ./.../ deliver into this maildir: such a line that ends with a slash
//	|...            give the message to this command of the shell
//	&...            forward the message to this address
//	+list           from here on, only forward; other lines that begin with +
//	                say nothing
//	...             forward to this address, as if it had an &
//
// Spaces and tabs at the end of a line do not count; those at its beginning do.
// Empty lines say nothing, except that the first one is an error: a file that
// begins so is taken to be broken. A NUL ends a line before its newline does, and
// a carriage return is a character like any other. The last line needs no
// newline.
package dotqmail

import (
	"bytes"
	"iter"
)

// Kind is what an instruction asks for.
type Kind int

// The kinds of instructions. Lines that say nothing have none.
const (
	BlankFirst  Kind = iota // the first line is empty: an error
	Mbox                    // Text is the name of a file
	Maildir                 // Text is the name of a directory, slash included
	Program                 // Text is a command for the shell
	Forward                 // Text is an address, not checked in any way
	ForwardOnly             // a line +list
)

// String is what qmail-local -n calls the kind.
func (k Kind) String() string {
	return [...]string{"blank first line", "mbox", "maildir", "program", "forward", "+list"}[k]
}

// An Instruction is a line of a .qmail file that says something.
type Instruction struct {
	Kind Kind
	Text string
}

// Instructions goes through the instructions of a .qmail file in their order. It
// holds one at a time.
func Instructions(text []byte) iter.Seq[Instruction] {
	return func(yield func(Instruction) bool) {
		for first := true; first || len(text) > 0; first = false {
			var line []byte
			line, text, _ = bytes.Cut(text, []byte("\n"))
			if i, ok := parse(line, first); ok && !yield(i) {
				return
			}
		}
	}
}

// parse reads a line without its newline.
func parse(line []byte, first bool) (i Instruction, ok bool) {
	line, _, _ = bytes.Cut(line, []byte{0})
	line = bytes.TrimRight(line, " \t")
	if len(line) == 0 {
		return Instruction{Kind: BlankFirst}, first
	}
	switch line[0] {
	case '#':
		return i, false
	case '.', '/':
		if line[len(line)-1] == '/' {
			return Instruction{Maildir, string(line)}, true
		}
		return Instruction{Mbox, string(line)}, true
	case '|':
		return Instruction{Program, string(line[1:])}, true
	case '&':
		return Instruction{Forward, string(line[1:])}, true
	case '+':
		return Instruction{Kind: ForwardOnly}, string(line) == "+list"
	}
	return Instruction{Forward, string(line)}, true
}
