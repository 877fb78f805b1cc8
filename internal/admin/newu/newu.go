// Package newu makes users/cdb of users/assign, for qmail-newu (qmail-newu(8)). Both
// formats are told in host/users.
//
// The new table takes the place of the old one in one step, once it is durable. In
// case of trouble the old one stays.
package newu

import (
	"errors"
	"os"
	"path/filepath"

	"goqmail/internal/host/cdb"
	"goqmail/internal/host/users"
)

// Update makes the table anew. The texts of its errors are those of the original.
func Update(home string) error {
	dir := filepath.Join(home, "users")
	if _, err := os.Stat(home); err != nil {
		return errors.New("unable to chdir")
	}
	assign, err := os.Open(filepath.Join(dir, "assign"))
	if err != nil {
		return errors.New("unable to open users/assign")
	}
	defer assign.Close()
	err = cdb.Replace(filepath.Join(dir, "cdb"), filepath.Join(dir, "cdb.tmp"), func(w *cdb.Writer) error {
		return users.Compile(assign, w)
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, users.ErrFormat):
		return errors.New("bad format in users/assign")
	case errors.Is(err, users.ErrRead):
		return errors.New("unable to read users/assign")
	case errors.Is(err, cdb.ErrCreate):
		return errors.New("unable to open users/cdb.tmp")
	case errors.Is(err, cdb.ErrMove):
		return errors.New("unable to move users/cdb.tmp to users/cdb")
	}
	return errors.New("unable to write users/cdb.tmp")
}
