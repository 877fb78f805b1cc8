package resident

import "goqmail/internal/host/control"

// Wanted tells whether programs are kept open at all: unless control/residence is 0,
// the switch of an admin who wants a process for each message (docs/design/residence.md).
// A file that cannot be read is an error.
func Wanted(dir control.Dir) (bool, error) {
	n, err := dir.Number("residence", 1)
	return n != 0, err
}
