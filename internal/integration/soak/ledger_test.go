package soak

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A place is one that a message can arrive at.
type place int

const (
	direct    place = iota // joe's maildir
	forwarded              // the same, by way of ann
	listed                 // the same, by way of the list
	mailbox                // bob's
	listedBox              // the same, by way of the list
	program                // one that bob has
	far                    // the other host
	listedFar              // the same, by way of the list
	unknown                // a bounce to joe: there is no such user here
	refused                // a bounce to joe: the other host refuses
	places
)

func (p place) String() string {
	return [...]string{"maildir", "maildir, forwarded", "maildir, by a list", "mailbox", "mailbox, by a list", "program",
		"other host", "other host, by a list", "bounce of here", "bounce of there"}[p]
}

// A target is what the record calls where a delivery goes to; several places share one.
type target int

const (
	toJoe target = iota
	toBob
	toProgram
	toFar
	toSender
	targets
)

func (t target) String() string {
	return [...]string{"to joe", "to bob", "to his program", "to the other host", "to senders"}[t]
}

var targetOf = [places]target{toJoe, toJoe, toJoe, toBob, toBob, toProgram, toFar, toFar, toSender, toSender}

// An entry is what is known of one message.
type entry struct {
	accepted bool
	wanted   uint16 // a bit for each place
	got      [places]uint8
	begun    [targets]uint8 // deliveries, as the record has them
}

func (e *entry) missing() bool {
	for p := range places {
		if e.wanted>>p&1 == 1 && e.got[p] == 0 {
			return true
		}
	}
	return false
}

// The ledger has an entry for each message that was sent, at its number.
type ledger struct {
	mu      sync.Mutex
	entries []entry
	open    map[int]bool // numbers of those that were accepted and have not arrived everywhere
	wrong   []string     // what should not be
	torn    int          // copies in bob's mailbox that are not whole
	twice   int          // recipients that a bounce names again
	strays  [targets]int // deliveries of messages whose beginning is not in the record
}

func newLedger() *ledger { return &ledger{open: map[int]bool{}} }

// number opens an entry.
func (l *ledger) number() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, entry{})
	return len(l.entries) - 1
}

// accept notes that somebody was told that the message is accepted.
func (l *ledger) accept(n int, wanted []place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := &l.entries[n]
	e.accepted = true
	for _, p := range wanted {
		e.wanted |= 1 << p
	}
	if e.missing() {
		l.open[n] = true
	}
}

// missing counts the messages that have not arrived everywhere.
func (l *ledger) missing() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

var (
	messageID   = regexp.MustCompile(`(?mi)^Message-ID: <(\d+)@soak>\r?$`)
	deliveredTo = regexp.MustCompile(`(?m)^Delivered-To: (ann|list)@host\.example\.org\r?$`)
	failed      = regexp.MustCompile(`(?m)^<(.*)>:$`)
)

// arrived notes a message at a place; by way of the list, what is delivered, and how are
// found in its text.
func (l *ledger) arrived(text string, at place) {
	m := messageID.FindStringSubmatch(text)
	header, _, _ := strings.Cut(text, "\n\n")
	if at == far {
		header, _, _ = strings.Cut(text, "\r\n\r\n")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if m == nil {
		l.wrong = append(l.wrong, "a message without a number:\n"+text)
		return
	}
	n, _ := strconv.Atoi(m[1])
	whole := strings.Contains(text, fmt.Sprintf("\nend of %d", n))
	switch way := deliveredTo.FindStringSubmatch(header); {
	case at == mailbox && !whole:
		l.torn++ // somebody was killed while he wrote; it is delivered again
		return
	case !whole:
		l.wrong = append(l.wrong, fmt.Sprint("not whole, at ", at, ":\n", text))
		return
	case at == direct && strings.Contains(text, "\nHi. This is the "):
		l.bounced(n, text)
		return
	case way == nil:
	case way[1] == "ann":
		at = forwarded
	default:
		at = map[place]place{direct: listed, mailbox: listedBox, far: listedFar}[at]
	}
	l.note(n, at)
}

// bounced notes a bounce. That of a recipient who is there is wrong. One may be named
// twice, when qmail-send was killed after it had noted a failure and before it had marked
// the recipient as done.
func (l *ledger) bounced(n int, text string) {
	named := map[string]bool{}
	for _, m := range failed.FindAllStringSubmatch(text, -1) {
		if named[m[1]] {
			l.twice++
			continue
		}
		named[m[1]] = true
		switch {
		case m[1] == nobody:
			l.note(n, unknown)
		case strings.HasPrefix(m[1], "refused@"):
			l.note(n, refused)
		default:
			l.wrong = append(l.wrong, "a bounce that should not be:\n"+text)
		}
	}
}

func (l *ledger) note(n int, at place) {
	if n >= len(l.entries) {
		l.wrong = append(l.wrong, fmt.Sprint("message ", n, " was never sent"))
		return
	}
	e := &l.entries[n]
	e.got[at] = min(e.got[at], 254) + 1
	if l.open[n] && !e.missing() {
		delete(l.open, n)
	}
}

// begin notes that the record has the beginning of a delivery, of a message that is not
// known if its number is not one.
func (l *ledger) begin(n int, to target) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < 0 || n >= len(l.entries) {
		l.strays[to]++
		return
	}
	e := &l.entries[n]
	e.begun[to] = min(e.begun[to], 254) + 1
}

// report says how it went: for each place, what was accepted, what arrived, and what
// arrived more than once. A copy is explained by a delivery that was begun for it; one
// that no delivery explains is wrong. What qmail-send was killed before it said is missing
// in the record: that a message is new. Deliveries of such messages explain copies as well.
func (l *ledger) report(t *testing.T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var wanted, once, again, unasked [places]int
	var copies, begun, unexplained [targets]int
	accepted := 0
	for n := range l.entries {
		e := &l.entries[n]
		if e.accepted {
			accepted++
		}
		var here [targets]int
		for p, got := range e.got {
			here[targetOf[p]] += int(got)
			if e.wanted>>p&1 == 0 {
				unasked[p] += int(got)
				continue
			}
			wanted[p]++
			once[p] += min(1, int(got))
			again[p] += max(0, int(got)-1)
		}
		for to, got := range here {
			copies[to] += got
			begun[to] += int(e.begun[to])
			unexplained[to] += max(0, got-int(e.begun[to]))
		}
	}
	t.Logf("%d messages sent, %d accepted", len(l.entries), accepted)
	t.Logf("%-22s %9s %9s %9s %9s", "", "accepted", "arrived", "again", "unasked")
	for p := range places {
		t.Logf("%-22s %9d %9d %9d %9d", p, wanted[p], once[p], again[p], unasked[p])
		if wanted[p] == 0 {
			t.Errorf("no mail was for %s", p)
		}
		if wanted[p] != once[p] {
			t.Errorf("lost at %s: %d", p, wanted[p]-once[p])
		}
	}
	t.Logf("unasked is what arrived though its sender was not told that it was accepted, or of which only a part did")
	t.Logf("torn copies in the mailbox: %d; recipients that a bounce names twice: %d", l.torn, l.twice)
	for to := range targets {
		t.Logf("%s: %d copies, %d deliveries begun and %d of messages that the record does not name", to, copies[to], begun[to], l.strays[to])
		if unexplained[to] > l.strays[to] {
			t.Errorf("%d copies that no delivery explains", unexplained[to])
		}
	}
	for _, text := range l.wrong {
		t.Errorf("%.3000s", text)
	}
}
