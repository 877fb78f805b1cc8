// Package docs has no code of its own; its tests hold the documents against the code.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// sources returns the strings in the Go files below some folders, one to a line.
func sources(t *testing.T, folders ...string) string {
	t.Helper()
	literal := regexp.MustCompile("\"(?:[^\"\\\\\n]|\\\\.)*\"|`[^`]*`")
	var all strings.Builder
	for _, top := range folders {
		err := filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/integration/") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, quoted := range literal.FindAllString(string(text), -1) {
				if s, err := strconv.Unquote(quoted); err == nil {
					all.WriteString(strings.ReplaceAll(s, "\n", "/") + "\n")
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

// TestTroubleshooting: each line that troubleshooting.md explains is one that some
// program says. What the log makes of a report (package activity) is undone, and a
// line is looked for in pieces, since programs put them together.
func TestTroubleshooting(t *testing.T) {
	text, err := os.ReadFile("troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	said := sources(t, "../internal", "../cmd", "../queue")
	span := regexp.MustCompile("`[^`]+`")
	pieces := 0
	for _, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| `") || len(cells) < 3 {
			continue
		}
		for _, quoted := range span.FindAllString(cells[0], -1) {
			quoted = strings.Trim(quoted, "`")
			if strings.HasPrefix(quoted, "queue/") {
				continue
			}
			for _, piece := range regexp.MustCompile(`-ERR |open |…|: |\. |\./|^[0-9]{3} `).Split(strings.ReplaceAll(quoted, "_", " "), -1) {
				piece = strings.Trim(piece, " .!,")
				if len(piece) < 6 || strings.HasPrefix(piece, "/var/qmail") {
					continue
				}
				pieces++
				if !strings.Contains(said, piece) {
					t.Errorf("no program says %q of %q", piece, quoted)
				}
			}
		}
	}
	if pieces < 80 {
		t.Errorf("only %d pieces: have the tables changed their form?", pieces)
	}
}

// TestTroubleshootingIsComplete: what qmail-log(5) calls an alert or a warning is
// explained, and so is each reply of the SMTP server that refuses something.
func TestTroubleshootingIsComplete(t *testing.T) {
	text, err := os.ReadFile("troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	explained := strings.ReplaceAll(string(text), "_", " ")
	lines := 0
	for page, want := range map[string]string{
		"qmail-log.5":    `(?m)^\.It Li ((?:alert|warning): .*)$`,
		"qmail-listen.7": `\.It Li "(4\d\d [^"]*)"`,
		"qmail-smtpd.8":  `Li "([45]\d\d [^"]*)"`,
	} {
		manual, err := os.ReadFile("man/" + page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(want).FindAllStringSubmatch(string(manual), -1) {
			lines++
			piece, _, _ := strings.Cut(strings.ReplaceAll(m[1], `\&`, ""), " Ar ")
			if !strings.Contains(explained, strings.TrimSpace(piece)) {
				t.Errorf("%s has %q, troubleshooting.md has not", page, m[1])
			}
		}
	}
	if lines < 40 {
		t.Errorf("only %d lines", lines)
	}
}
