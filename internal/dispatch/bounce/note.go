// Package bounce writes what qmail-send tells a sender about recipients that
// failed for good: notes while the message is delivered, kept in the queue, and
// in the end one message made of them (qmail-send(8)).
//
// # Notes
//
// The file bounce/457 has a paragraph per recipient of message 457 that failed:
//
//	<joe@far.example>:
//	192.0.2.1 does not like recipient.
//	Remote host said: 550 no such user
//	                                        (an empty line ends it)
//
// Inside a paragraph there are no empty lines: where the report has one, a slash
// stands on it. This is the recipient paragraph of QSBMF, the qmail-send bounce
// message format, which mailing list managers parse; every byte counts.
//
// # Messages
//
// A failure makes a bounce, from nobody to the envelope sender. A bounce that
// fails makes a double bounce, from #@[] to doublebounceto. A double bounce that
// fails ends here: there are no triple bounces.
package bounce

import (
	"strings"

	"goqmail/internal/mail/quote"
)

// Note is the paragraph about a recipient. The address is as the sender knows it;
// report is the text of the delivery's report, without its letter.
func Note(recipient, report string) []byte {
	note := make([]byte, 0, len(recipient)+len(report)+8)
	note = append(note, '<')
	note = append(note, quote.OneLine(recipient)...)
	note = append(note, ">:\n"...)
	note = append(note, report...)
	if report != "" && !strings.HasSuffix(report, "\n") {
		note = append(note, '\n')
	}
	for i := len(note) - 2; i > 0; i-- {
		if note[i] == '\n' && note[i-1] == '\n' {
			note[i] = '/'
		}
	}
	return append(note, '\n')
}
