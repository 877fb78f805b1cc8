package remote

import (
	"errors"
	"net/netip"
	"strings"

	"goqmail/internal/wire/smtp"
)

// Reports on a message that no host was told of.
const (
	improperlyInvoked   = "DI (qmail-remote) was invoked improperly. (#5.3.5)\n"
	noHome              = "ZUnable to switch to home directory. (#4.3.0)\n"
	noControl           = "ZUnable to read control files. (#4.3.0)\n"
	noResources         = "ZSystem resources temporarily unavailable. (#4.3.0)\n"
	badRoute            = "ZUnable to make sense of a relay in control/smtproutes. (#4.3.5)\n"
	lookupFailed        = "ZSorry, I couldn't find any host by that name. (#4.1.2)\n"
	noConnection        = "ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n"
	noExchanger         = "DSorry, I couldn't find a mail exchanger or IP address. (#5.4.4)\n"
	thatIsMe            = "DSorry. Although I'm listed as a best-preference MX or A for that host,\nit isn't in my control/locals file, so I don't treat it as local. (#5.4.6)\n"
	senderWithLineBreak = "DSorry, the sender's address has a line break, which SMTP cannot transfer. (#5.1.7)\n"
)

func noSuchHost(host string) string {
	return "DSorry, I couldn't find any host named " + visible(host) + ". (#5.1.2)\n"
}

func noMail(host string) string {
	return "DSorry, " + visible(host) + " says that it does not accept mail. (#5.1.10)\n"
}

// visible puts a question mark in place of whatever does not print.
func visible(host string) string {
	b := []byte(host)
	for i, c := range b {
		if c <= ' ' || c >= 0x7f {
			b[i] = '?'
		}
	}
	return string(b)
}

// Reports on a recipient that do not quote the host.
const (
	recipientAccepted      = "r"
	recipientWithLineBreak = "hSorry, this address has a line break, which SMTP cannot transfer. (#5.1.3)\n"
)

// unreadableMessage is the report on a message that could not be sent to its end.
const unreadableMessage = "ZUnable to read message. (#4.3.0)\n"

// A partner is the host at the other end.
type partner netip.Addr

func (p partner) String() string { return netip.Addr(p).String() }

// said is the end of most reports: what the partner did, and its words.
func (p partner) said(did string, reply smtp.Reply) string {
	text := p.String() + did + ".\n"
	if reply.Text != "" {
		text += "Remote host said: " + strings.ReplaceAll(reply.Text, "\x00", "?")
	}
	return text
}

// died reports that the connection has ended.
func (p partner) died(err error) string {
	text := "ZConnected to " + p.String() + " but connection died. "
	if errors.Is(err, smtp.ErrUncertain) {
		text += "Possible duplicate! "
	}
	return text + "(#4.4.2)\n"
}
