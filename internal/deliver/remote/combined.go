package remote

import (
	"context"
	"strings"

	"goqmail/internal/deliver/smtproutes"
)

// maxOutputs is how much DeliverEach returns, in bytes: what has room in a record of
// wire/resident, with its framing.
const maxOutputs = 60 << 10

// tooManyRecipients is what a host answers to a recipient after those that it takes in
// one message (RFC 5321, section 4.5.3.1.10).
const tooManyRecipients = 452

// DeliverEach carries out deliveries of one message to several recipients as one, and
// returns for each recipient the reports that a delivery to him alone would have. Their
// mail must go the same way; the host of d does not matter. rewind brings the message
// back to its beginning.
//
// Recipients that are too many for the host get another transaction, as long as the one
// before it got the message to somebody. So do those whose mail turns out to go another
// way: whoever put them together has seen an older smtproutes.
func (c Config) DeliverEach(ctx context.Context, d Delivery, rewind func() error) [][]byte {
	results := make([]combined, len(d.Recipients))
	left := make([]int, len(d.Recipients))
	for i := range left {
		left[i] = i
	}
	for len(left) > 0 {
		now, later := c.sameWay(d.Recipients, left)
		one := Delivery{Host: hostOf(d.Recipients[now[0]]), Sender: d.Sender, Message: d.Message}
		for _, i := range now {
			one.Recipients = append(one.Recipients, d.Recipients[i])
		}
		message, recipients := unreadableMessage, reports(nil)
		if rewind() == nil {
			message, recipients = c.deliver(ctx, one)
		}
		for n, i := range now {
			results[i].message = message
			if n >= len(recipients) {
				continue
			}
			results[i].recipient, results[i].known = recipients[n].text, true
			if recipients[n].code == tooManyRecipients && message[0] == 'K' {
				later = append(later, i)
			}
		}
		left = later
	}
	return outputs(results)
}

// sameWay takes those recipients, given by their places, whose mail goes the same way as
// the first one's.
func (c Config) sameWay(recipients []string, places []int) (same, other []int) {
	s, err := c.settings()
	if err != nil {
		return places, nil // which will be reported of all of them
	}
	way := func(i int) (smtproutes.Destination, error) {
		return s.routes.Destination(hostOf(recipients[i]))
	}
	to, err := way(places[0])
	for _, i := range places {
		if t, e := way(i); t == to && e == err {
			same = append(same, i)
		} else {
			other = append(other, i)
		}
	}
	return same, other
}

func hostOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// combined is what became of one of several recipients.
type combined struct {
	recipient string
	known     bool // there is a report on the recipient
	message   string
}

// outputs returns the reports of each recipient. Where all together would be too long,
// long ones are cut.
func outputs(results []combined) [][]byte {
	size := 0
	for _, r := range results {
		size += len(r.recipient) + len(r.message) + 2
	}
	longest := maxOutputs
	if size > maxOutputs {
		longest = maxOutputs/(2*len(results)) - 1
	}
	list := make([][]byte, len(results))
	for i, r := range results {
		if r.known {
			list[i] = appendReport(list[i], shortened(r.recipient, longest))
		}
		list[i] = appendReport(list[i], shortened(r.message, longest))
	}
	return list
}

// shortened returns the beginning of a report, of whole lines but for the last.
func shortened(report string, longest int) string {
	if len(report) <= longest {
		return report
	}
	return report[:longest-1] + "\n"
}
