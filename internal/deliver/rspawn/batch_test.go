package rspawn

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"goqmail/internal/host/control"
	"goqmail/internal/wire/spawn"
)

func batches(t *testing.T, files map[string]string) *Batches {
	t.Helper()
	home := t.TempDir()
	for name, text := range files {
		program(t, home, "control/"+name, text)
	}
	return NewBatches(control.In(home))
}

// commands are deliveries of a message to recipients, with the sender s@x or, in front of
// a colon, another.
func commands(message string, recipients ...string) (list []spawn.Command) {
	for i, r := range recipients {
		sender, recipient, found := strings.Cut(r, ":")
		if !found {
			sender, recipient = "s@x", r
		}
		list = append(list, spawn.Command{Delivery: uint32(i), Message: message, Sender: sender, Recipient: recipient})
	}
	return list
}

// recipients tells who is in each group.
func recipients(groups [][]spawn.Command) (list []string) {
	for _, g := range groups {
		var names []string
		for _, c := range g {
			names = append(names, c.Recipient)
		}
		list = append(list, strings.Join(names, " "))
	}
	return list
}

func TestGroups(t *testing.T) {
	for _, c := range []struct {
		name   string
		batch  string
		routes string
		who    string
		want   string // groups, separated by |
	}{
		{"none unless it is asked for", "", "", "a@h b@h", "a@h|b@h"},
		{"one is none", "1", "", "a@h b@h", "a@h|b@h"},
		{"nothing is none", "0", "", "a@h b@h", "a@h|b@h"},
		{"the same host", "10", "", "a@h b@g c@h d@g", "a@h c@h|b@g d@g"},
		{"no more than that", "2", "", "a@h b@h c@h d@h e@h", "a@h b@h|c@h d@h|e@h"},
		{"the same relay", "10", ":relay", "a@h b@g c@h", "a@h b@g c@h"},
		{"a route of one's own", "10", ":relay\ng:", "a@h b@g c@f d@g", "a@h c@f|b@g d@g"},
		{"a relay is another way than its own mail", "10", "h:g:25", "a@h b@g", "a@h|b@g"},
		{"routes that make no sense", "10", "h:relay:x", "a@h b@h c@g d@g", "a@h|b@h|c@g d@g"},
		{"variable senders", "10", "", "s-a=h@x:a@h s-b=h@x:b@h s@x:c@h s@x:d@h", "a@h|b@h|c@h d@h"},
		{"no sender", "10", "", ":a@h :b@h", "a@h b@h"},
		{"a recipient twice", "10", "", "a@h a@h", "a@h a@h"},
		{"no host", "10", "", "a b a@h", "a|b|a@h"},
		{"an empty host", "10", "", "a@ b@", "a@ b@"},
		{"the last @ counts", "10", "", "a@g@h b@h", "a@g@h b@h"},
	} {
		b := batches(t, map[string]string{"smtproutes": c.routes})
		if c.batch != "" {
			b = batches(t, map[string]string{"remotebatch": c.batch + "\n", "smtproutes": c.routes})
		}
		got := strings.Join(recipients(b.Groups(commands("1/1", strings.Fields(c.who)...))), "|")
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestGroupsOfMessages(t *testing.T) {
	b := batches(t, map[string]string{"remotebatch": "10"})
	list := append(commands("1/1", "a@h", "b@h"), commands("1/2", "a@h", "b@h")...)
	tooLong := commands("1/1", "c@h")
	tooLong[0].TooLong = true
	got := b.Groups(append(list, tooLong...))
	if want := [][]spawn.Command{list[:2], list[2:4], tooLong}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}

func TestMostInAGroup(t *testing.T) {
	b := batches(t, map[string]string{"remotebatch": "1000000"})
	var who []string
	for i := range maxBatch + 1 {
		who = append(who, fmt.Sprint("r", i, "@h"))
	}
	got := b.Groups(commands("1/1", who...))
	if len(got) != 2 || len(got[0]) != maxBatch {
		t.Errorf("%d groups, %d in the first", len(got), len(got[0]))
	}
}

// TestControlFilesAreReadAgain: when they change, and one that cannot be read means that
// nothing is put together.
func TestControlFilesAreReadAgain(t *testing.T) {
	b := batches(t, map[string]string{"remotebatch": "10"})
	list := commands("1/1", "a@h", "b@h", "a@g")
	for _, c := range []struct {
		change func()
		want   int
	}{
		{func() {}, 2},
		{func() { os.WriteFile(b.dir.Path("smtproutes"), []byte(":relay\n"), 0o644) }, 1},
		{func() { os.Remove(b.dir.Path("smtproutes")); os.Mkdir(b.dir.Path("smtproutes"), 0o755) }, 3},
		{func() { os.Remove(b.dir.Path("smtproutes")) }, 2},
		{func() { os.Remove(b.dir.Path("remotebatch")) }, 3},
	} {
		c.change()
		if got := b.Groups(list); len(got) != c.want {
			t.Errorf("%v, want %d", recipients(got), c.want)
		}
	}
}

func TestMemory(t *testing.T) {
	var m memory
	name := func(i int) attempt { return attempt{"1/1", fmt.Sprint(i)} }
	for i := range 5 * maxMemory / 2 {
		m.add(name(i))
		if old := i - maxMemory + 1; old >= 0 && !m.has(name(old)) {
			t.Fatalf("%d is forgotten at %d", old, i)
		}
	}
	if n := len(m.young) + len(m.old); n > 2*maxMemory || m.has(name(0)) || m.has(attempt{"1/2", "24999"}) {
		t.Errorf("%d are known", n)
	}
}

func TestDeliverGroup(t *testing.T) {
	home := install(t)
	program(t, home, "control/remotebatch", "10\n")
	k := Keep(home)
	defer k.Close()
	c := Combiner{k, NewBatches(control.In(home))}
	f, err := os.Open(filepath.Join(home, "queue/mess/1"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, test := range []struct {
		who  string
		want string
	}{
		{"accepted1@h refused@h later@h lost@h silent@h accepted2@h", "Kone of 6\n|Dno\n|Znot now\n|Zconnection died\n|Zqmail-remote produced no output.\n|Kone of 6\n"},
		{"short@h accepted@h", "Zqmail-remote crashed.\n|Zqmail-remote crashed.\n"},
		{"a@panic.test accepted@panic.test", "Zqmail-remote crashed.\n|Zqmail-remote crashed.\n"},
	} {
		list := commands("1", strings.Fields(test.who)...)
		texts, done := c.DeliverGroup(f, list)
		if got := strings.Join(texts, "|"); got != test.want || !done {
			t.Errorf("%s: %q, %v", test.who, got, done)
		}
		// Those that were deferred go alone from now on.
		for _, g := range c.Groups(list) {
			for _, command := range g {
				alone := texts[command.Delivery][0] == 'Z'
				if alone != (len(g) == 1) {
					t.Errorf("%s: in a group of %d", command.Recipient, len(g))
				}
			}
		}
	}
}

// TestScriptGetsNoGroups: a program that is not kept gets one recipient at a time.
func TestScriptGetsNoGroups(t *testing.T) {
	home := install(t)
	os.Remove(filepath.Join(home, "bin/qmail-remote"))
	program(t, home, "bin/qmail-remote", "#!/bin/sh\nprintf 'r\\0K\\0'")
	k := Keep(home)
	defer k.Close()
	if texts, done := (Combiner{k, NewBatches(control.In(home))}).DeliverGroup(nil, commands("1", "a@h", "b@h")); done || len(texts) != 0 {
		t.Errorf("%q", texts)
	}
}

// FuzzGroups: each command is in one group, and those in a group may go together.
func FuzzGroups(f *testing.F) {
	f.Add("h:relay\n", "a@h b@g s:c@h c d@", uint8(3))
	f.Add(":relay", "s-a=h@x:a@h s-b=h@x:b@h", uint8(100))
	f.Fuzz(func(t *testing.T, routes, who string, most uint8) {
		b := batches(t, map[string]string{"remotebatch": fmt.Sprint(most), "smtproutes": routes})
		list := commands("1/1", strings.Fields(who)...)
		seen := map[uint32]bool{}
		for _, g := range b.Groups(list) {
			if len(g) == 0 || len(g) > max(1, int(most)) {
				t.Errorf("a group of %d", len(g))
			}
			for _, c := range g {
				if seen[c.Delivery] || c.Sender != g[0].Sender || len(g) > 1 && !strings.Contains(c.Recipient, "@") {
					t.Errorf("%v", g)
				}
				seen[c.Delivery] = true
			}
		}
		if len(seen) != len(list) {
			t.Errorf("%d of %d", len(seen), len(list))
		}
	})
}
