package local

import (
	"strings"
	"time"

	"goqmail/internal/mail/mboxrd"
	"goqmail/internal/mail/quote"
)

// A trace is the lines that say how a message came here, newlines included. A
// line break in an address becomes an underscore in them.
type trace struct {
	deliveredTo string // Delivered-To: local@domain
	returnPath  string // Return-Path: <sender>, quoted
	begun       time.Time
}

func newTrace(d Delivery, now time.Time) trace {
	return trace{
		deliveredTo: quote.OneLine("Delivered-To: "+d.Local+"@"+d.Domain) + "\n",
		returnPath:  quote.OneLine("Return-Path: <"+quote.Address(d.Sender)) + ">\n",
		begun:       now,
	}
}

// fromLine is the From_ line, for mailboxes.
func (a *attempt) fromLine() string { return mboxrd.FromLine(a.Sender, a.begun) }

// environment returns that of programs (qmail-command(8)): what the process has,
// with qmail's own variables in place of any of the same name.
func (a *attempt) environment() []string {
	if a.env != nil {
		return a.env
	}
	env := []string{
		"USER=" + a.User,
		"HOME=" + a.Home,
		"LOCAL=" + a.Local,
		"HOST=" + a.Domain,
		"RECIPIENT=" + a.Local + "@" + a.Domain,
		"SENDER=" + a.Sender,
		"NEWSENDER=" + a.newSender,
		"DTLINE=" + a.deliveredTo,
		"RPLINE=" + a.returnPath,
		"UFLINE=" + a.fromLine(),
		"EXT=" + a.Ext,
	}
	ext, host := a.Ext, a.Domain
	for _, n := range []string{"2", "3", "4"} {
		_, ext, _ = strings.Cut(ext, "-")
		if dot := strings.LastIndexByte(host, '.'); dot >= 0 {
			host = host[:dot]
		}
		env = append(env, "EXT"+n+"="+ext, "HOST"+n+"="+host)
	}
	ours := map[string]bool{"DEFAULT": true}
	for _, v := range env {
		ours[name(v)] = true
	}
	if a.file.Wild {
		env = append(env, "DEFAULT="+a.file.Default)
	}
	for _, v := range a.Env {
		if !ours[name(v)] {
			env = append(env, v)
		}
	}
	a.env = env
	return env
}

// name is that of an environment variable.
func name(variable string) string {
	name, _, _ := strings.Cut(variable, "=")
	return name
}
