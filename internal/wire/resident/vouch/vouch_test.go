package vouch

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestFor(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "qmail-clean")
	if out, err := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "goqmail/cmd/qmail-clean").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		path, program string
		want          bool
	}{
		{program, "qmail-clean", true},
		{program, "qmail-local", false},
		{write("cut", text[:len(text)/2]), "qmail-clean", false},
		{write("script", []byte("#!/bin/sh\nexec "+program+"\n")), "qmail-clean", false},
		{write("empty", nil), "qmail-clean", false},
		{write("path", []byte("\xff Go buildinf:\x08\x02"+strings.Repeat("\x00", 16)+"goqmail/cmd/qmail-clean")), "qmail-clean", false},
		{"/proc/self/exe", "qmail-clean", false},
	} {
		f, err := os.Open(c.path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if got := For(c.program)(f); got != c.want {
			t.Errorf("%s as %s: %t", c.path, c.program, got)
		}
	}
}
