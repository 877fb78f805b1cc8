// Package vouch tells by the build information in a file whether it is one of our
// own programs. It is for a parent that is root, which reads the file and need not
// try it, see package resident. It stands apart because debug/buildinfo brings
// readers of four kinds of executables, which other programs shall not link.
package vouch

import (
	"debug/buildinfo"
	"os"
)

// For returns the judge of a program, such as "qmail-local", for resident.Config.
// The file may be anything.
func For(program string) func(*os.File) bool {
	return func(f *os.File) bool {
		info, err := buildinfo.Read(f)
		return err == nil && info.Path == "goqmail/cmd/"+program
	}
}
