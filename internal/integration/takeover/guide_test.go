package takeover

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"goqmail/internal/integration/site"
)

// guide returns the commands of a document of docs: those in blocks that are marked as
// sh, below the headings named, or all of them. Indentation of a block is cut.
func guide(t testing.TB, name string, headings ...string) string {
	t.Helper()
	source, err := site.Sources()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(source, "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	script := commands(string(text), headings)
	if script == "" {
		t.Fatalf("%s has no commands below %q", name, headings)
	}
	return script
}

func commands(text string, headings []string) string {
	var script strings.Builder
	heading, indent, inside := "", "", false
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		switch {
		case inside && trimmed == "```":
			inside = false
		case inside && (headings == nil || slices.Contains(headings, heading)):
			script.WriteString(strings.TrimPrefix(line, indent))
		case inside:
		case trimmed == "```sh":
			inside = true
			indent = line[:strings.Index(line, "`")]
		case strings.HasPrefix(line, "## "):
			heading = strings.TrimSpace(line[3:])
		}
	}
	return script.String()
}

func TestCommands(t *testing.T) {
	const text = "## One\n```sh\na\n  b\n```\n```text\nno\n```\n## Two\n1. x\n\n   ```sh\n   c\n   ```\n"
	for want, headings := range map[string][]string{"a\n  b\nc\n": nil, "c\n": {"Two"}, "": {"Three"}} {
		if got := commands(text, headings); got != want {
			t.Errorf("%q: %q, want %q", headings, got, want)
		}
	}
}
