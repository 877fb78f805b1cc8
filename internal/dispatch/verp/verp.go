// Package verp is about variable envelope return paths (qmail-send(8),
// dot-qmail(5)): envelope senders that tell each recipient's bounces apart.
//
// A sender that ends with -@[] is such a path:
//
//	list-@host-@[]
//
// For recipient joe@far it becomes list-joe=far@host. A bounce that this host
// makes itself goes to list-@host.
package verp

import "strings"

// mark is how a variable return path ends.
const mark = "-@[]"

// Expand returns the envelope sender for one recipient.
func Expand(sender, recipient string) string {
	path, variable := strings.CutSuffix(sender, mark)
	at := strings.LastIndexByte(path, '@')
	to := strings.LastIndexByte(recipient, '@')
	if !variable || at < 0 || to < 0 {
		return sender
	}
	return path[:at] + recipient[:to] + "=" + recipient[to+1:] + "@" + path[at+1:]
}

// Base returns the address that bounces made here go to.
func Base(sender string) string { return strings.TrimSuffix(sender, mark) }
