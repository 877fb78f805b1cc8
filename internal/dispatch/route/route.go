// Package route decides where a recipient's mail goes: to this host or to
// another, and under which address (qmail-send(8), addresses(5)).
//
// The steps, in order:
//
//  1. A recipient without @ gets @ and the contents of envnoathost.
//  2. As long as the host is in percenthack and the local part has a %, the host
//     is cut off and the last % becomes the @.
//  3. A host in locals: the recipient is local, as it stands.
//  4. virtualdomains is asked for user@host, for host, for each end of host that
//     begins with a dot (the longest first), and for the empty name. The first
//     that is there counts: prefix-user@host is local. An entry with an empty
//     prefix ends the search: the recipient is remote.
//  5. Everything else is remote.
//
// The host is what follows the last @. Names are compared without regard to case
// and never changed.
package route

import (
	"strings"

	"goqmail/internal/mail/fold"
	"goqmail/queue"
)

// A Channel is one of the two ways out of the queue.
type Channel int

// The channels. Local mail goes through qmail-lspawn, remote mail through
// qmail-rspawn.
const (
	Local Channel = iota
	Remote
)

// Channels is how many there are.
const Channels = 2

func (c Channel) String() string { return [...]string{"local", "remote"}[c] }

// Kind is the directory of the queue that has the channel's recipient lists.
func (c Channel) Kind() queue.Kind { return [...]queue.Kind{queue.Local, queue.Remote}[c] }

// A Table is what the control files say about routing. It is never changed, so
// many goroutines can use one.
type Table struct {
	Locals      fold.Set
	PercentHack fold.Set
	Virtual     fold.Map // user@host, host, .host or nothing -> prefix
	EnvNoAtHost string
}

// Route tells on which channel a recipient's mail leaves, and the address to
// deliver it to.
func (t *Table) Route(recipient string) (Channel, string) {
	address := t.qualify(recipient)
	at := strings.LastIndexByte(address, '@')
	if t.Locals.Has(address[at+1:]) {
		return Local, address
	}
	prefix, found := t.Virtual.Get(address)
	if !found {
		prefix, found = t.virtualHost(address[at+1:])
	}
	if found && prefix != "" {
		return Local, prefix + "-" + address
	}
	return Remote, address
}

// qualify gives a recipient a host and undoes the percent hack.
func (t *Table) qualify(recipient string) string {
	at := strings.LastIndexByte(recipient, '@')
	if at < 0 {
		at = len(recipient)
		recipient += "@" + t.EnvNoAtHost
	}
	for t.PercentHack.Has(recipient[at+1:]) {
		percent := strings.LastIndexByte(recipient[:at], '%')
		if percent < 0 {
			break
		}
		recipient = recipient[:percent] + "@" + recipient[percent+1:at]
		at = percent
	}
	return recipient
}

// virtualHost looks a host up in virtualdomains, with its wildcards.
func (t *Table) virtualHost(host string) (prefix string, found bool) {
	for i := 0; i <= len(host); i++ {
		if i == 0 || i == len(host) || host[i] == '.' {
			if prefix, found = t.Virtual.Get(host[i:]); found {
				return prefix, true
			}
		}
	}
	return "", false
}

// Original undoes what Route did for a virtual domain, so that a bounce shows the
// address that the sender wrote. An entry for a single user@host is not undone,
// and neither is one that has changed since.
func (t *Table) Original(recipient string) string {
	at := strings.LastIndexByte(recipient, '@')
	if at < 0 {
		return recipient
	}
	prefix, _ := t.virtualHost(recipient[at+1:])
	if prefix == "" {
		return recipient
	}
	if rest, cut := strings.CutPrefix(recipient, prefix+"-"); cut {
		return rest
	}
	return recipient
}
