package model

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"goqmail/internal/integration/site"
)

var target = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

// TestCorpora wants each fuzz target in the sources to have inputs beside it, of which those
// that fuzzing has found are more than what its author thought of.
func TestCorpora(t *testing.T) {
	source, err := site.Sources()
	must(t, err)
	targets := 0
	must(t, filepath.WalkDir(source, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range target.FindAllStringSubmatch(string(text), -1) {
			targets++
			if files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "testdata/fuzz", m[1], "*")); len(files) == 0 {
				t.Errorf("%s has no inputs for %s", filepath.Dir(path), m[1])
			}
		}
		return err
	}))
	t.Logf("%d targets", targets)
}
