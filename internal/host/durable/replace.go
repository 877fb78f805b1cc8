package durable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// What Replace can fail at, for errors.Is.
var (
	ErrCreate = errors.New("unable to create the temporary file")
	ErrWrite  = errors.New("unable to write the temporary file")
	ErrMove   = errors.New("unable to move the temporary file")
)

// Replace makes a file at temp with what fill writes, and renames it to path once it
// is durable: whoever reads path sees the old or the new one, whole, also after a
// crash. The mode, less the umask, is that of a new file. An error of fill is
// returned as it is. In case of an error temp is removed.
func Replace(path, temp string, mode os.FileMode, fill func(*os.File) error) (err error) {
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCreate, err)
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(temp)
		}
	}()
	if err := fill(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("%w: %w", ErrWrite, err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("%w: %w", ErrMove, err)
	}
	if err := Names(filepath.Dir(path), path); err != nil {
		return fmt.Errorf("%w: %w", ErrMove, err)
	}
	return nil
}
