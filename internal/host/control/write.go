package control

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"goqmail/internal/host/durable"
)

// Write replaces a file with one that has these lines. Readers find the old one or
// the new one and nothing in between; when Write has returned, a power cut leaves the
// new one. Anybody can read it.
func (d Dir) Write(name string, lines ...string) error {
	if err := d.write(name, lines); err != nil {
		return fmt.Errorf("unable to write control: %w", err)
	}
	return nil
}

func (d Dir) write(name string, lines []string) error {
	f, err := os.CreateTemp(d.path, "."+name+".")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	var text strings.Builder
	for _, line := range lines {
		text.WriteString(line + "\n")
	}
	_, err = f.WriteString(text.String())
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), d.Path(name)); err != nil {
		return err
	}
	return durable.Directory(d.path)
}
