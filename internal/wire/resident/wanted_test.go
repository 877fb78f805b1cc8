package resident

import (
	"os"
	"path/filepath"
	"testing"

	"goqmail/internal/host/control"
)

func TestWanted(t *testing.T) {
	for content, want := range map[string]bool{"": true, "0\n": false, "0": false, "1\n": true, "2\n": true, "no\n": true} {
		home := t.TempDir()
		os.Mkdir(filepath.Join(home, "control"), 0o755)
		if content != "" {
			os.WriteFile(filepath.Join(home, "control/residence"), []byte(content), 0o644)
		}
		if got, err := Wanted(control.In(home)); got != want || err != nil {
			t.Errorf("control/residence %q: %v, %v, want %v", content, got, err, want)
		}
	}
	home := t.TempDir()
	os.MkdirAll(filepath.Join(home, "control/residence"), 0o755)
	if got, err := Wanted(control.In(home)); err == nil {
		t.Errorf("a directory in the place of control/residence: %v, no error", got)
	}
}

func TestWantedCompiled(t *testing.T) {
	defer func(before string) { compiled = before }(compiled)
	compiled = "0"
	for content, want := range map[string]bool{"no\n": false, "1\n": true, "0\n": false} {
		home := t.TempDir()
		dir := control.In(home)
		if got, err := Wanted(dir); got || err != nil {
			t.Errorf("without control/residence: %v, %v", got, err)
		}
		os.Mkdir(filepath.Join(home, "control"), 0o755)
		os.WriteFile(dir.Path("residence"), []byte(content), 0o644)
		if got, err := Wanted(dir); got != want || err != nil {
			t.Errorf("control/residence %q: %v, %v, want %v", content, got, err, want)
		}
	}
}
