package resident

import "goqmail/internal/host/control"

// compiled is what holds where there is no number in control/residence. make
// RESIDENCE=0 sets it by the linker: -X goqmail/internal/wire/resident.compiled=0.
var compiled = "1"

// Wanted tells whether programs are kept open at all: unless control/residence is 0,
// the switch of an admin who wants a process for each message (docs/design/residence.md).
// A file that cannot be read is an error.
func Wanted(dir control.Dir) (bool, error) {
	def, _ := control.LeadingNumber(compiled)
	n, err := dir.Number("residence", def)
	return n != 0, err
}
