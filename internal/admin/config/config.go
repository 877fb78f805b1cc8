// Package config gives a new installation the control files without which it does
// not know who it is (config(8), config-fast(8)):
//
//	me             this host's name
//	defaultdomain  it without its first part: completes a host without a dot
//	plusdomain     its last two parts: completes a host that ends with a plus sign
//	locals         names that mail is delivered for
//	rcpthosts      names that mail is accepted for
//
// me, defaultdomain and plusdomain are replaced. To locals and rcpthosts Fast adds
// what they lack, so that it can be run again; Discover replaces them by what it
// finds in DNS.
package config

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"goqmail/internal/admin/lookup"
	"goqmail/internal/mail/fold"
	"goqmail/internal/mail/outcome"
)

// Files is where the files go; control.Dir is one.
type Files interface {
	List(name string) (entries []string, exists bool, err error)
	Write(name string, lines ...string) error
}

// A Config is where the files go and whom the admin is told through.
type Config struct {
	Home    string
	Control Files
	Out     io.Writer
}

func (c Config) say(format string, args ...any) { fmt.Fprintf(c.Out, format+"\n", args...) }

func (c Config) put(name, value string) error {
	c.say("Putting %s into control/%s...", value, name)
	return c.Control.Write(name, value)
}

// Fast makes the files for a host of this name, and asks nobody about it.
func (c Config) Fast(name string) error {
	if !plausible(name) {
		return outcome.Fail("%q is not the name of a host", name)
	}
	c.say("Your fully qualified host name is %s.", name)
	if err := c.identify(name); err != nil {
		return err
	}
	for _, file := range []string{"locals", "rcpthosts"} {
		if err := c.add(file, name); err != nil {
			return err
		}
	}
	c.say("Now qmail will refuse to accept SMTP messages except to %s.", name)
	c.say("Make sure to change rcpthosts if you add hosts to locals or virtualdomains!")
	return nil
}

// identify writes what follows from the name alone.
func (c Config) identify(name string) error {
	if err := c.put("me", name); err != nil {
		return err
	}
	parts := strings.Split(name, ".")
	n := len(parts)
	if n <= 2 { // such a name is a domain itself
		parts, n = []string{"", name}, 2
	}
	if err := c.put("defaultdomain", strings.Join(parts[1:], ".")); err != nil {
		return err
	}
	return c.put("plusdomain", strings.TrimPrefix(strings.Join(parts[n-2:], "."), "."))
}

// add puts a name into a list, if it is not there.
func (c Config) add(file, name string) error {
	entries, _, err := c.Control.List(file)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(entries, func(e string) bool { return fold.Equal(e, name) }) {
		c.say("control/%s has %s already.", file, name)
		return nil
	}
	c.say("Putting %s into control/%s...", name, file)
	return c.Control.Write(file, append(entries, name)...)
}

// plausible holds for what can be the name of a host in a mail address. It must not
// have anything that a control file or a shell would take for something else.
func plausible(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			return false
		}
	}
	return len(name) <= 253
}

// A Machine is what Discover asks about this machine.
type Machine struct {
	Hostname string
	Search   []string // domains for a host name without a dot
	Own      []netip.Addr
}

// Discover makes the files for this host by what DNS says of its name and addresses.
func (c Config) Discover(r lookup.Resolver, m Machine) error {
	if m.Hostname == "" {
		c.say("Sorry, I couldn't find your hostname.")
		c.say("You will have to set up control/me yourself.")
		return outcome.Fail("this machine has no name")
	}
	c.say("Your hostname is %s.", fold.Lower(m.Hostname))
	name, err := lookup.FullName(r, fold.Lower(m.Hostname), m.Search)
	name = fold.Lower(name)
	if err == nil && !plausible(name) {
		err = outcome.Fail("%q is not the name of a host", name)
	}
	if err != nil {
		c.say("Sorry, I couldn't find your host's canonical name in DNS.")
		c.say("You will have to set up control/me yourself.")
		return err
	}
	c.say("Your host's fully qualified name in DNS is %s.", name)
	if err := c.identify(name); err != nil {
		return err
	}
	c.say(" ")
	locals := c.locals(r, name, m.Own)
	if err := c.Control.Write("locals", locals...); err != nil {
		return err
	}
	c.say(" ")
	c.say("If there are any other domain names that point to you,")
	c.say("you will have to add them to %s/control/locals.", c.Home)
	c.say("You don't have to worry about aliases, i.e., domains with CNAME records.")
	c.say(" ")
	c.say("Copying %[1]s/control/locals to %[1]s/control/rcpthosts...", c.Home)
	if err := c.Control.Write("rcpthosts", locals...); err != nil {
		return err
	}
	c.say("Now qmail will refuse to accept SMTP messages except to those hosts.")
	c.say("Make sure to change rcpthosts if you add hosts to locals or virtualdomains!")
	return nil
}

// locals are the name of this host and those of its addresses that lead back to it:
// whoever an address belongs to can give it any name.
func (c Config) locals(r lookup.Resolver, name string, own []netip.Addr) []string {
	addresses := slices.Clone(own)
	if list, err := lookup.Addresses(r, name); err == nil {
		addresses = append(addresses, list...)
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	addresses = slices.Compact(addresses)
	c.say("Checking local IP addresses:")
	c.say("Adding %s to control/locals...", name)
	locals := []string{name}
	for _, a := range addresses {
		local, err := lookup.Name(r, a)
		local = fold.Lower(local)
		switch {
		case err != nil:
			c.say("%s: PTR lookup failed. I assume this address has no DNS name.", a)
		case !plausible(local) || !leadsTo(r, local, addresses):
			c.say("%s: %q does not lead back here. Not added.", a, local)
		case slices.Contains(locals, local):
			c.say("%s: control/locals has %s already.", a, local)
		default:
			c.say("%s: Adding %s to control/locals...", a, local)
			locals = append(locals, local)
		}
	}
	return locals
}

// leadsTo tells whether a name has one of some addresses.
func leadsTo(r lookup.Resolver, name string, addresses []netip.Addr) bool {
	list, err := lookup.Addresses(r, name)
	return err == nil && slices.ContainsFunc(list, func(a netip.Addr) bool { return slices.Contains(addresses, a) })
}
