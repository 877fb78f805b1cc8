package users

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"

	"goqmail/internal/host/cdb"
	"goqmail/internal/host/reread"
	"goqmail/internal/mail/fold"
)

// maxKept is the largest users/cdb that is kept in memory, in bytes. A larger one
// is read where it lies.
const maxKept = 1 << 20

// A Table is users/cdb. Each search sees the file as it is then; where there is
// none, nothing is found. It may be used by several goroutines.
type Table struct {
	mu   sync.Mutex
	file reread.File[opened]
}

// opened is a table that was read, at least its list of last characters.
type opened struct {
	db   *cdb.Reader
	wild []byte
}

// NewTable returns the table at a path.
func NewTable(path string) *Table {
	return &Table{file: reread.File[opened]{Path: path, Make: open}}
}

// Lookup returns the assignment for a local part, and whether there is one.
func (t *Table) Lookup(local string) (Assignment, bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o, exists, err := t.file.Get()
	if err != nil || !exists {
		return Assignment{}, false, err
	}
	return find(o.db, o.wild, local)
}

// Close forgets what was read.
func (t *Table) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.file.Close()
}

func open(file *os.File, size int64) (opened, error) {
	var f io.ReaderAt = file
	if size <= maxKept {
		text, err := reread.Text(maxKept)(file, size)
		if err != nil {
			return opened{}, err
		}
		f = bytes.NewReader(text)
	}
	db := cdb.NewReader(f, size)
	wild, found, err := db.Find("")
	if err == nil && !found {
		err = fmt.Errorf("%w: %s has no list of last characters", ErrFormat, file.Name())
	}
	return opened{db, wild}, err
}

// find searches for the address itself, then for shorter and shorter beginnings.
func find(db *cdb.Reader, wild []byte, local string) (Assignment, bool, error) {
	key := "!" + fold.Lower(local)
	data, found, err := db.Find(key + "\x00")
	rest := ""
	for n := len(key); err == nil && !found && n > 0; n-- {
		if n == 1 || bytes.IndexByte(wild, key[n-1]) >= 0 {
			data, found, err = db.Find(key[:n])
			rest = local[n-1:]
		}
	}
	if err != nil || !found {
		return Assignment{}, false, err
	}
	a, err := Parse(string(data) + rest + "\x00")
	return a, err == nil, err
}
