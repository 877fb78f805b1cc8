package queuectl

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"goqmail/internal/mail/fold"
	"goqmail/internal/mail/outcome"
	wire "goqmail/internal/wire/queuectl"
	"goqmail/queue"
)

// A choice says which messages are meant: those that meet all that is said.
type choice struct {
	all                       bool // -a
	held                      bool // -H
	marked                    bool // to be released, as a message that is not held cannot be
	sender, recipient, domain *string
	before, after             time.Time // of birth
	larger, smaller           int64     // in bytes; 0 is none
	numbers                   []queue.Number
}

// choiceOptions are the letters of its options.
const choiceOptions = "aHsrdongl"

// set takes an option of a choice.
func (c *choice) set(letter byte, value string, now time.Time) error {
	var err error
	switch letter {
	case 'a':
		c.all = true
	case 'H':
		c.held = true
	case 's':
		value = strings.TrimSuffix(strings.TrimPrefix(value, "<"), ">")
		c.sender = &value
	case 'r':
		c.recipient = &value
	case 'd':
		c.domain = &value
	case 'o', 'n':
		var age time.Duration
		age, err = parseAge(value)
		if letter == 'o' {
			c.before = now.Add(-age)
		} else {
			c.after = now.Add(-age)
		}
	case 'g':
		c.larger, err = parseSize(value)
	case 'l':
		c.smaller, err = parseSize(value)
	}
	return err
}

// empty tells whether nothing was said at all.
func (c *choice) empty() bool { return !c.all && len(c.numbers) == 0 && !c.narrow() }

// everything tells whether all messages are meant.
func (c *choice) everything() bool { return c.all && len(c.numbers) == 0 && !c.narrow() }

// narrow tells whether there are options that choose.
func (c *choice) narrow() bool {
	return c.held || c.sender != nil || c.recipient != nil || c.domain != nil ||
		!c.before.IsZero() || !c.after.IsZero() || c.larger > 0 || c.smaller > 0
}

// fits tells whether a message is chosen. A recipient or domain is looked for among the
// recipients that are not done.
func (c *choice) fits(m wire.Message) bool {
	return (!c.held || m.Mark == queue.Held) &&
		(!c.marked || m.Mark != queue.Unmarked) &&
		(c.sender == nil || matches(*c.sender, m.Sender)) &&
		(c.before.IsZero() || m.Born.Before(c.before)) &&
		(c.after.IsZero() || m.Born.After(c.after)) &&
		(c.larger == 0 || m.Size > c.larger) &&
		(c.smaller == 0 || m.Size < c.smaller) &&
		(c.recipient == nil && c.domain == nil || slices.ContainsFunc(m.Recipients, c.fitsRecipient))
}

func (c *choice) fitsRecipient(r queue.Recipient) bool {
	return !r.Done &&
		(c.recipient == nil || matches(*c.recipient, r.Address)) &&
		(c.domain == nil || matches(*c.domain, domain(r.Address)))
}

// domain is what follows the last @ of an address, in small letters.
func domain(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return ""
	}
	return fold.Lower(address[at+1:])
}

// matches tells whether a text is as a pattern says, in which * stands for any text.
// Small and capital letters are the same.
func matches(pattern, text string) bool {
	pattern, text = fold.Lower(pattern), fold.Lower(text)
	first, rest, starred := strings.Cut(pattern, "*")
	if !starred {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, first)
	for ok && starred {
		if first, rest, starred = strings.Cut(rest, "*"); !starred {
			return strings.HasSuffix(text, first)
		}
		_, text, ok = strings.Cut(text, first)
	}
	return false
}

// parseAge reads a time: a number with s, m, h, d or w behind it, or none for seconds.
func parseAge(text string) (time.Duration, error) {
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	unit := time.Second
	digits := text
	if n := len(text); n > 0 {
		if u, ok := units[text[n-1]]; ok {
			unit, digits = u, text[:n-1]
		}
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || time.Duration(n) > maxAge/unit {
		return 0, outcome.Fail("%s is no age, such as 90s, 30m, 12h, 3d or 1w", printable(text))
	}
	return time.Duration(n) * unit, nil
}

// maxAge is a century.
const maxAge = 100 * 365 * 24 * time.Hour

// parseSize reads a number of bytes, or with k, M or G behind it, of 1024 times as many and
// so on.
func parseSize(text string) (int64, error) {
	digits, unit := text, uint64(1)
	for i, u := range "kMG" {
		if d, ok := strings.CutSuffix(text, string(u)); ok {
			digits, unit = d, 1<<(10*(i+1))
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || n > 1<<62/unit || n == 0 {
		return 0, outcome.Fail("%s is no size, such as 1000, 100k or 5M", printable(text))
	}
	return int64(n * unit), nil
}
