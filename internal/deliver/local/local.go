// Package local is what qmail-local does with one message (qmail-local(8)): it
// follows the .qmail file that is in charge of the recipient, as the user.
//
// In this order:
//
//	home       it must be there, not writable by others and not sticky
//	loop       a message with a Delivered-To line of this recipient is refused
//	.qmail     the file in charge (internal/deliver/dotqmail); a file that is empty,
//	           or a missing one where dash is empty, stands for the default delivery
//	owner      the envelope sender for what is forwarded
//	follow     mailboxes, maildirs and programs, one after another; the first
//	           one that fails ends the delivery
//	forward    all addresses at once, through qmail-queue
//	report     "did FILES+FORWARDS+PROGRAMS", and "qp NUMBER" if there were any
//	           forwards
//
// Nothing is taken back when a later step fails, so a retry repeats what was done.
//
// The message is read from its beginning for each instruction, in pieces: a message
// and a line of it may have any length.
//
// Nothing here is a state of the process: no working directory, no umask, no
// environment. Many deliveries may go on at the same time.
package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"time"

	"goqmail/internal/deliver/dotqmail"
	"goqmail/internal/deliver/maildir"
	"goqmail/internal/host/errno"
	"goqmail/internal/wire/submit"
)

// A Config is what all deliveries of a process have in common.
type Config struct {
	Env   []string     // what programs find in their environment besides qmail's own
	Queue submit.Queue // the way of forwards; its Env and Errors are not used
	Names *maildir.Names
	Now   func() time.Time
}

// A Delivery is a message and where it goes.
type Delivery struct {
	User   string // the user's name, for programs
	Home   string // the user's home directory, an absolute path
	Local  string // local part of the recipient
	Dash   string // with Ext, what follows ".qmail" in the name of the file
	Ext    string // the address extension
	Domain string // domain of the recipient
	Sender string // envelope sender

	// Default stands for an empty or missing .qmail file, and is written like one.
	Default string

	// DryRun asks to print the instructions rather than to follow them.
	DryRun bool

	// Message is positioned by each instruction that reads it, so it must be seekable
	// and nobody else's. It becomes descriptor 0 of programs. Where it is nil, they
	// find that closed.
	Message *os.File
	Output  Output
}

// Deliver delivers a message. The text of an error is the report: it goes into the
// log and into bounces. It is empty where a program has said what there is to say.
// outcome.Of tells whether the error is permanent.
func Deliver(c Config, d Delivery) error {
	a := attempt{Config: c, Delivery: d}
	if err := a.checkHome(); err != nil {
		return err
	}
	a.trace = newTrace(d, c.Now())
	if !d.DryRun {
		if err := a.checkLoop(); err != nil {
			return err
		}
	}
	file, err := a.find()
	if err != nil {
		return err
	}
	if a.newSender, err = a.findNewSender(); err != nil {
		return err
	}
	a.file = file
	return a.followAll()
}

// An attempt is a delivery in progress.
type attempt struct {
	Config
	Delivery
	trace
	newSender string
	file      *dotqmail.File // in charge
	env       []string       // of programs and of qmail-queue, once one has asked

	forwardOnly               bool
	files, forwards, programs int
	qp                        int // process number of qmail-queue
}

// checkHome is about the user's own choices: a home that others can write to is not
// safe, and a sticky one says that he is editing his .qmail files.
func (a *attempt) checkHome() error {
	info, err := os.Stat(a.Home + "/.")
	switch {
	case err != nil:
		return deferral("Unable to switch to %s: %s. (#4.3.0)", a.Home, errno.Text(err))
	case info.Mode()&dotqmail.Writable != 0:
		return errHomeWritable
	case info.Mode()&fs.ModeSticky == 0:
		return nil
	case a.DryRun:
		a.Output.Warn("Warning: home directory is sticky.\n")
		return nil
	}
	return errHomeSticky
}

// checkLoop refuses a message that was here before.
func (a *attempt) checkLoop() error {
	text, err := a.text()
	if err != nil {
		return err
	}
	looping, err := hasLine(text, a.deliveredTo)
	switch {
	case err != nil:
		return deferral("Unable to read message: %s. (#4.3.0)", errno.Text(err))
	case looping:
		return errLooping
	}
	return nil
}

// find returns the .qmail file in charge with its text, or with that of the default
// delivery.
func (a *attempt) find() (*dotqmail.File, error) {
	file, err := dotqmail.Find(a.Home, a.Dash, a.Ext)
	switch {
	case err != nil:
		return nil, fileError(err)
	case file == nil && a.Dash != "":
		return nil, errNoMailbox
	case file == nil:
		file = &dotqmail.File{}
	}
	if len(file.Text) == 0 {
		file.Text, file.ForwardOnly = []byte(a.Default), false
	}
	return file, nil
}

// findNewSender returns the envelope sender of what is forwarded: the owner of the
// address gets the bounces, if there is one. Bounces keep their senders, or they
// could go on for ever.
func (a *attempt) findNewSender() (string, error) {
	if a.Sender == "" || a.Sender == "#@[]" {
		return a.Sender, nil
	}
	owner, err := dotqmail.FindOwner(a.Home, a.Dash, a.Ext)
	switch {
	case err != nil:
		return "", fileError(err)
	case owner == dotqmail.VariableOwner:
		return a.Local + "-owner-@" + a.Domain + "-@[]", nil
	case owner == dotqmail.OneOwner:
		return a.Local + "-owner@" + a.Domain, nil
	}
	return a.Sender, nil
}

// report says what was done.
func (a *attempt) report() {
	text := fmt.Sprintf("did %d+%d+%d\n", a.files, a.forwards, a.programs)
	if a.qp != 0 {
		text += fmt.Sprintf("qp %d\n", a.qp)
	}
	a.Output.Print(text)
}

// rewind goes to the beginning of the message, for a program.
func (a *attempt) rewind() error {
	if _, err := a.Message.Seek(0, io.SeekStart); err != nil {
		return errRewind
	}
	return nil
}

// text returns the message from its beginning. Its errors are errRead. It does not
// depend on the position of the descriptor, which a program may have left to a
// child of its own that still reads.
func (a *attempt) text() (io.Reader, error) {
	if err := a.rewind(); err != nil {
		return nil, err
	}
	return source{io.NewSectionReader(a.Message, 0, math.MaxInt64)}, nil
}

// A source marks the errors of reading the message, to tell them from those of
// writing it.
type source struct{ r io.Reader }

func (s source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: %w", errRead, err)
	}
	return n, err
}

var errRead = errors.New("unable to read message")
