package send

import (
	"goqmail/internal/dispatch/route"
	"goqmail/queue"
)

const (
	// maxReplies is how many deferrals are remembered, and maxReply how much of each.
	maxReplies = 4096
	maxReply   = 300
)

// Replies are what the last deferrals said, so that an admin can be told why a message
// waits. They are kept in memory alone: a restart forgets them, and the log has them all.
// The zero Replies is empty.
type replies struct {
	last map[recipient]reply
	ring []recipient // in the order in which they came
	next int         // the one that is replaced next
}

// A recipient is one of a message.
type recipient struct {
	channel route.Channel
	number  queue.Number
	address string
}

// A reply is what a delivery reported, and when.
type reply struct {
	at   int64
	text string
}

// add remembers a reply, in the place of the recipient's last one or of the oldest. An
// entry of a message that is gone stays: it is told by its time from one of a later
// message of the same number.
func (r *replies) add(c route.Channel, n queue.Number, address string, what reply) {
	key := recipient{c, n, address}
	what.text = what.text[:min(len(what.text), maxReply)]
	if r.last == nil {
		r.last = make(map[recipient]reply)
	}
	if _, known := r.last[key]; !known {
		if len(r.ring) < maxReplies {
			r.ring = append(r.ring, key)
		} else {
			delete(r.last, r.ring[r.next])
			r.ring[r.next] = key
			r.next = (r.next + 1) % maxReplies
		}
	}
	r.last[key] = what
}
