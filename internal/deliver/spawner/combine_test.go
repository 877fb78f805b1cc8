package spawner

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"goqmail/internal/wire/spawn"
)

// pairs puts two and two commands together, and says what it was given.
type pairs struct {
	refuse bool

	mu     sync.Mutex
	groups int
}

func (p *pairs) Groups(list []spawn.Command) (groups [][]spawn.Command) {
	for len(list) > 2 {
		groups, list = append(groups, list[:2]), list[2:]
	}
	return append(groups, list)
}

func (p *pairs) DeliverGroup(message *os.File, group []spawn.Command) (texts []string, done bool) {
	p.mu.Lock()
	p.groups++
	p.mu.Unlock()
	if p.refuse {
		return nil, false
	}
	text, _ := io.ReadAll(message)
	for _, c := range group {
		texts = append(texts, fmt.Sprintf("K%s of %d|%s", c.Recipient, len(group), text))
	}
	return texts, true
}

// TestCombiner: commands that have come together are carried out together; where that
// cannot be, each by itself, and each is reported once.
func TestCombiner(t *testing.T) {
	for _, c := range []struct {
		name    string
		message string
		refuse  bool
		count   int
		groups  int
		want    string // of the first
	}{
		{"in pairs", "1/100", false, 6, 3, "Kr0@h of 2|the message\n"},
		{"a lone one is no group", "1/100", false, 1, 0, "Ks@x|r0@h|r0|h|the message\n|<nil>"},
		{"the combiner does not want", "1/100", true, 6, 3, "Ks@x|r0@h|r0|h|the message\n|<nil>"},
		{"no such message", "1/99", false, 6, 0, "Zqmail-spawn unable to open message. (#4.3.0)\n"},
		{"a bad name", "1/x", false, 6, 0, "DInternal error: messid has nonnumerics. (#5.3.5)\n"},
	} {
		p := &pairs{refuse: c.refuse}
		s := spawner(t, fine)
		s.Combiner = p
		var list []spawn.Command
		for i := range c.count {
			list = append(list, spawn.Command{Delivery: uint32(i), Message: c.message, Sender: "s@x", Recipient: fmt.Sprintf("r%d@h", i)})
		}
		seen := map[uint32]int{}
		for _, r := range serve(t, s, list...) {
			seen[r.Delivery]++
			want := strings.ReplaceAll(c.want, "r0", fmt.Sprint("r", r.Delivery))
			if r.Text != want {
				t.Errorf("%s: %d: %q, want %q", c.name, r.Delivery, r.Text, want)
			}
		}
		if len(seen) != c.count || p.groups != c.groups {
			t.Errorf("%s: %d reports, %d groups", c.name, len(seen), p.groups)
		}
	}
}

// TestWrongNumbersBesideGroups: they are refused by themselves.
func TestWrongNumbersBesideGroups(t *testing.T) {
	s := spawner(t, fine)
	s.Combiner = &pairs{}
	command := func(n uint32) spawn.Command {
		return spawn.Command{Delivery: n, Message: "1/101", Recipient: "a@h"}
	}
	got := map[string]int{}
	for _, r := range serve(t, s, command(0), command(200), command(0), command(1)) {
		got[r.Text]++
	}
	if len(got) != 3 || got["Ka@h of 2|"] != 2 {
		t.Errorf("%v", got)
	}
}

// TestManyReportsOfOneGroup: they do not wait for each other.
func TestManyReportsOfOneGroup(t *testing.T) {
	r := newReporter(io.Discard, spawn.Classic, 100)
	var reports []spawn.Report
	for i := range 100 {
		r.begin(uint32(i))
		reports = append(reports, spawn.Report{Delivery: uint32(i), Text: strings.Repeat("x", spawn.MaxText)})
	}
	r.end(reports...)
}
