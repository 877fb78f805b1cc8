package reread

import (
	"os"
	"path/filepath"
	"testing"
)

func TestGet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	made := 0
	f := File[string]{Path: path, Make: func(f *os.File, size int64) (string, error) {
		made++
		text, err := Text(10)(f, size)
		return string(text), err
	}}
	defer f.Close()
	write := func(text string) func() { return func() { os.WriteFile(path, []byte(text), 0o644) } }
	for _, c := range []struct {
		name   string
		change func()
		want   string
		exists bool
		fails  bool
		made   int // how often until now
	}{
		{"missing", func() {}, "", false, false, 0},
		{"made", write("one"), "one", true, false, 1},
		{"the same", func() {}, "one", true, false, 1},
		{"renamed over it", func() {
			os.WriteFile(path+".new", []byte("two"), 0o644)
			os.Rename(path+".new", path)
		}, "two", true, false, 2},
		{"longer", write("three"), "three", true, false, 3},
		{"too long", write("12345678901"), "", false, true, 4},
		{"empty", write(""), "", true, false, 5},
		{"removed", func() { os.Remove(path) }, "", false, false, 5},
		{"a directory", func() { os.Mkdir(path, 0o755) }, "", false, true, 5},
		{"below a file", func() { os.Remove(path); os.WriteFile(path, nil, 0o644); f.Path = path + "/x" }, "", false, true, 5},
	} {
		c.change()
		got, exists, err := f.Get()
		if got != c.want || exists != c.exists || (err != nil) != c.fails || made != c.made {
			t.Errorf("%s: %q, %v, %v, made %d times", c.name, got, exists, err, made)
		}
	}
}
