package rspawn

import (
	"os"
	"strings"
	"sync"

	"goqmail/internal/deliver/smtproutes"
	"goqmail/internal/deliver/spawner"
	"goqmail/internal/host/control"
	"goqmail/internal/wire/spawn"
)

// maxBatch is how many recipients are put together at most: as many as every host has to
// take (RFC 5321, section 4.5.3.1.8).
const maxBatch = 100

// Batches puts recipients of a message together whose mail goes the same way, by the
// control files remotebatch and smtproutes. They have the same envelope sender; with a
// variable one (VERP), each has his own, and goes alone.
//
// A recipient who was deferred together with others is remembered, and goes alone from
// then on: what is wrong with one shall not keep the others from their mail for good.
//
// It may be used by many at once.
type Batches struct {
	dir control.Dir

	mu     sync.Mutex
	stamp  string
	max    uint64
	routes smtproutes.Routes
	alone  memory
}

// NewBatches goes by the control files of an installation.
func NewBatches(dir control.Dir) *Batches { return &Batches{dir: dir} }

// A way is what deliveries have in common that are put together.
type way struct {
	message, sender string
	to              smtproutes.Destination
}

// Groups divides commands into those that are carried out together.
func (b *Batches) Groups(list []spawn.Command) [][]spawn.Command {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.read()
	var groups [][]spawn.Command
	last := map[way]int{} // the group that takes the next one
	for _, c := range list {
		w, ok := b.way(c)
		if !ok {
			groups = append(groups, []spawn.Command{c})
			continue
		}
		n, ok := last[w]
		if !ok || uint64(len(groups[n])) >= b.max {
			n = len(groups)
			last[w] = n
			groups = append(groups, nil)
		}
		groups[n] = append(groups[n], c)
	}
	return groups
}

// read reads the control files if they have changed. With one that cannot be read, nothing
// is put together.
func (b *Batches) read() {
	stamp := b.dir.Stamp("remotebatch", "smtproutes")
	if stamp == b.stamp {
		return
	}
	b.stamp, b.max = "", 1
	n, err := b.dir.Number("remotebatch", 1)
	if err != nil {
		return
	}
	entries, _, err := b.dir.List("smtproutes")
	if err != nil {
		return
	}
	b.stamp, b.max, b.routes = stamp, min(n, maxBatch), smtproutes.New(entries)
}

// way tells which way a delivery goes, if it may go with others.
func (b *Batches) way(c spawn.Command) (way, bool) {
	at := strings.LastIndexByte(c.Recipient, '@')
	if b.max <= 1 || c.TooLong || at < 0 || b.alone.has(attempt{c.Message, c.Recipient}) {
		return way{}, false
	}
	to, err := b.routes.Destination(c.Recipient[at+1:])
	return way{c.Message, c.Sender, to}, err == nil
}

// deferred notes that a delivery was deferred which went with others.
func (b *Batches) deferred(c spawn.Command) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.alone.add(attempt{c.Message, c.Recipient})
}

// An attempt is one to deliver a message, known by its name, to a recipient.
type attempt struct{ message, recipient string }

// memory knows the last attempts that were added: maxMemory of them at least, and twice as
// many at most.
type memory struct{ young, old map[attempt]struct{} }

const maxMemory = 10000

func (m *memory) add(a attempt) {
	if m.young == nil || len(m.young) >= maxMemory {
		m.young, m.old = map[attempt]struct{}{}, m.young
	}
	m.young[a] = struct{}{}
}

func (m *memory) has(a attempt) bool {
	_, young := m.young[a]
	_, old := m.old[a]
	return young || old
}

// A Combiner carries out deliveries of a message to several recipients as one, by the
// processes that are kept. Where that cannot be (qmail-remote is another program), each
// is carried out by itself.
type Combiner struct {
	*Kept
	*Batches
}

// DeliverGroup carries out a group.
func (c Combiner) DeliverGroup(message *os.File, group []spawn.Command) (texts []string, done bool) {
	first := group[0].Recipient
	fields := []string{first[strings.LastIndexByte(first, '@')+1:], group[0].Sender}
	for _, d := range group {
		fields = append(fields, d.Recipient)
	}
	texts, done = c.Kept.ask(fields, message)
	for i, text := range texts {
		if text[0] == 'Z' {
			c.Batches.deferred(group[i])
		}
	}
	return texts, done
}

var _ spawner.Combiner = Combiner{}
