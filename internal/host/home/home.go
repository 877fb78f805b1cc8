// Package home knows the one directory that all of goqmail lives in, below
// which bin, control, alias, users and queue are found (qmail-control(5),
// hier in the original). It is compiled in, never taken from the environment:
// qmail-queue is setuid, and whoever runs it chooses its environment.
//
//	make QMAIL=/var/qmail
//
// Only programs (cmd/...) ask for it; packages are told a directory.
package home

// compiled is set by the linker: -X goqmail/internal/host/home.compiled=DIR.
var compiled = "/var/qmail"

// Dir is the absolute path of the home directory.
func Dir() string { return compiled }

// Bin is the path of an installed program.
func Bin(program string) string { return compiled + "/bin/" + program }
