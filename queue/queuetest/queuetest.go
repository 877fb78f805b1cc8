// Package queuetest makes queues for tests, which need no root: every file
// belongs to the user who runs them.
package queuetest

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// New makes an empty queue that is split as asked, and returns its directory.
func New(t testing.TB, split int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "queue")
	for _, sub := range []string{"pid", "intd", "todo", "bounce", "lock"} {
		must(t, os.MkdirAll(filepath.Join(dir, sub), 0o755))
	}
	for _, sub := range []string{"mess", "info", "local", "remote"} {
		for i := range split {
			must(t, os.MkdirAll(filepath.Join(dir, sub, strconv.Itoa(i)), 0o755))
		}
	}
	must(t, os.WriteFile(filepath.Join(dir, "lock/sendmutex"), nil, 0o600))
	must(t, unix.Mkfifo(filepath.Join(dir, "lock/trigger"), 0o622))
	return dir
}

// Files lists the files in a queue, sorted, such as "mess/5/28". Those in lock
// are not among them.
func Files(t testing.TB, dir string) []string {
	t.Helper()
	var files []string
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		name, _ := strings.CutPrefix(path, dir+"/")
		if err == nil && !e.IsDir() && !strings.HasPrefix(name, "lock/") {
			files = append(files, name)
		}
		return err
	}))
	slices.Sort(files)
	return files
}

// Put writes a file of a queue.
func Put(t testing.TB, dir, name, text string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
}

// Get reads a file of a queue.
func Get(t testing.TB, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	must(t, err)
	return string(text)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
