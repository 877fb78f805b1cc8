package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDeviations: no difference is told twice.
func TestDeviations(t *testing.T) {
	text, err := os.ReadFile("deviations.md")
	if err != nil {
		t.Fatal(err)
	}
	told := make(map[string]bool)
	for _, line := range strings.Split(string(text), "\n") {
		if cells := strings.Split(line, " | "); len(cells) == 4 {
			if told[cells[0]+cells[1]] {
				t.Errorf("twice: %s", line)
			}
			told[cells[0]+cells[1]] = true
		}
	}
	if len(told) < 100 {
		t.Errorf("only %d differences", len(told))
	}
}

// TestLinks: what the documents lead to is there, be it a file, a manual page or a
// package.
func TestLinks(t *testing.T) {
	all := pages(t)
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	manual := regexp.MustCompile(`\b([a-z][a-z0-9-]+)\(([1-8])\)`)
	folder := regexp.MustCompile("`((?:internal|conf-templates|cmd|docs)/[a-zA-Z0-9./@-]*)`")
	n := 0
	for _, pattern := range []string{"../README.md", "*.md", "design/*.md", "../conf-templates/README.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range link.FindAllStringSubmatch(string(text), -1) {
				n++
				if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
					t.Errorf("%s leads to %s, which is not there", file, m[1])
				}
			}
			for _, m := range folder.FindAllStringSubmatch(string(text), -1) {
				n++
				if _, err := os.Stat("../" + m[1]); err != nil {
					t.Errorf("%s names %s, which is not there", file, m[1])
				}
			}
			for _, m := range manual.FindAllStringSubmatch(string(text), -1) {
				n++
				if page := m[1] + "." + m[2]; all[page] == nil && !elsewhere[page] && !strings.HasPrefix(page, "systemd") {
					t.Errorf("%s refers to %s, which is not there", file, page)
				}
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d references", n)
	}
}
