package powercut

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/tabwriter"

	"goqmail/internal/integration/site"
)

// A mutant is the source with one sync taken out that a promise rests on.
type mutant struct {
	name     string
	file     string
	old, new string // old is there once
	test     string // that must notice
	short    bool   // also in the short form
}

var mutants = []mutant{
	{name: "message not synced", file: "queue/entry.go", old: "e.Message.Sync,", test: "TestQueue", short: true},
	{name: "envelope not synced", file: "queue/entry.go", old: "e.envelope.Sync,", test: "TestQueue", short: true},
	{name: "todo not synced", file: "queue/entry.go", old: "e.q.SyncDirectory(Todo, e.Number)", new: "error(nil)", test: "TestQueue"},
	{name: "todo not synced, as one who forwards sees it", file: "queue/entry.go", old: "e.q.SyncDirectory(Todo, e.Number)", new: "error(nil)", test: "TestForward"},
	{name: "todo not synced, as a client sees it", file: "queue/entry.go", old: "e.q.SyncDirectory(Todo, e.Number)", new: "error(nil)", test: "TestSMTP"},
	{name: "info and lists not synced", file: "internal/dispatch/preprocess/write.go", old: "syncs = append(syncs, f.Sync)",
		new: "syncs = append(syncs, func() error { _ = f; return nil })", test: "TestDispatch"},
	{name: "names of info and lists not synced", file: "internal/dispatch/preprocess/write.go",
		old: "return w.Queue.SyncDirectory(k, m.number)", new: "return nil", test: "TestDispatch"},
	{name: "note of a failure not synced", file: "internal/dispatch/send/notes.go", old: "b.file.Sync",
		new: "func() error { return nil }", test: "TestDispatch"},
	{name: "maildir: message not synced", file: "internal/deliver/maildir/maildir.go", old: "err = f.Sync()", test: "TestMaildir"},
	{name: "maildir: new not synced", file: "internal/deliver/maildir/maildir.go", old: "return durable.Names(dir, tmp)",
		new: "_ = durable.Names; return nil", test: "TestMaildir"},
	{name: "mbox not synced", file: "internal/deliver/mbox/mbox.go", old: "return m.File.Sync()", new: "return nil", test: "TestMbox"},
	{name: "maildir2mbox: mbox not synced", file: "internal/retrieve/maildir2mbox/maildir2mbox.go", old: "err = tmp.Sync()", test: "TestMaildir2mbox"},
	{name: "maildir2mbox: name not synced", file: "internal/retrieve/maildir2mbox/maildir2mbox.go", old: "durable.Names(dir, m.Mbox)",
		new: "func(string) error { _ = durable.Names; return nil }(dir)", test: "TestMaildir2mbox"},
}

// mutantVariable is set in the tests of a mutant.
const mutantVariable = "GOQMAIL_MUTANT"

// noticed is how Sweep ends when something was wrong after a cut.
var noticed = regexp.MustCompile(`the power was cut at call \d+, \w*`)

// TestMutants takes one sync after another out of the programs, and has the
// sweep notice. A mutant that no longer fits the source, or that nothing notices, is a
// failure. GOQMAIL_MUTANTS asks for the long form, all of them.
func TestMutants(t *testing.T) {
	site.Skip(t)
	if os.Getenv(mutantVariable) != "" {
		t.Skip("this is a mutant")
	}
	table := &strings.Builder{}
	w := tabwriter.NewWriter(table, 0, 8, 2, ' ', 0)
	for _, m := range mutants {
		if !m.short && os.Getenv("GOQMAIL_MUTANTS") == "" {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			killed := m.run(t)
			fmt.Fprintf(w, "%s\t%s\t%s\n", m.name, m.test, killed)
		})
	}
	w.Flush()
	t.Logf("mutants, and how they were noticed:\n%s", table)
}

// run runs the test of a mutant, and returns at which moment it noticed.
func (m mutant) run(t *testing.T) string {
	// The test binary builds the programs itself, with the flags that it finds.
	test := exec.Command("/proc/self/exe", "-test.v", "-test.failfast", "-test.run", "^"+m.test+"$", "-test.timeout", "20m")
	test.Env = append(site.Outside(os.Environ()), mutantVariable+"="+m.name, "GOFLAGS="+os.Getenv("GOFLAGS")+" -overlay="+m.overlay(t))
	out, err := test.CombinedOutput()
	moment := noticed.FindString(string(out))
	switch {
	case err == nil:
		t.Errorf("nothing noticed:\n%s", out)
	case moment == "":
		t.Errorf("its test failed by something else: %v\n%s", err, out)
	}
	return moment
}

// overlay writes down for the go command which file is another.
func (m mutant) overlay(t *testing.T) string {
	t.Helper()
	top, err := site.Sources()
	if err != nil {
		t.Fatal(err)
	}
	file, dir := filepath.Join(top, m.file), t.TempDir()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		t.Fatalf("%s has %q %d times, not once", m.file, m.old, n)
	}
	changed, list := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(text), m.old, m.new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	return list
}
