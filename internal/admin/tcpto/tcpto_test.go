package tcpto

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goqmail/internal/wire/tcpto"
)

func TestListAndClear(t *testing.T) {
	table := tcpto.Table{Path: filepath.Join(t.TempDir(), "tcpto")}
	if err := os.WriteFile(table.Path, make([]byte, 1024), 0o644); err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1800000000, 0)
	list := func() string {
		var out strings.Builder
		if err := List(table, now.Add(300*time.Second), &out); err != nil {
			t.Error(err)
		}
		return out.String()
	}
	if got := list(); got != "" {
		t.Errorf("empty table: %q", got)
	}
	table.TimedOut(netip.MustParseAddr("192.0.2.1"), now)
	table.TimedOut(netip.MustParseAddr("192.0.2.1"), now.Add(200*time.Second))
	table.TimedOut(netip.MustParseAddr("2001:db8::1"), now)
	want := "192.0.2.1 timed out 100 seconds ago; # recent timeouts: 2\n2001:db8::1 timed out 300 seconds ago; # recent timeouts: 1\n"
	if got := list(); got != want {
		t.Errorf("%q", got)
	}
	if err := Clear(table); err != nil || list() != "" {
		t.Errorf("%v, %q", err, list())
	}
}

func TestWithoutATable(t *testing.T) {
	table := tcpto.Table{Path: "/nonexistent/tcpto"}
	var out strings.Builder
	for _, err := range []error{List(table, time.Now(), &out), Clear(table)} {
		if err == nil || !strings.HasSuffix(err.Error(), "/nonexistent/tcpto: file does not exist") {
			t.Error(err)
		}
	}
}
