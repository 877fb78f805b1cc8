// Package exitcode has the exit codes that qmail-lspawn understands besides 0, 100
// and 111: those of qmail-getpw, and of whatever fails between qmail-lspawn's
// decision to run qmail-local and qmail-local itself (qlx.h in the original).
//
// A qmail-local, or a script in its place, that exits with one of them gets the
// report that belongs to it.
package exitcode

// The codes.
const (
	Usage       = 112 // a wrong call, or a malformed answer of qmail-getpw
	Root        = 113 // the user would be root
	NFS         = 115 // a home directory cannot be looked at for now
	NoAlias     = 116 // there is no user alias
	UsersCDB    = 117 // users/cdb cannot be read
	System      = 118 // no pipe, no process
	NoMemory    = 119
	CannotRun   = 120 // qmail-local cannot be run
	CannotGetpw = 121 // qmail-getpw cannot be run
	NeverRuns   = 126 // what a shell says of a program that cannot be run
)

// Panic is what a Go program exits with that panics before it has arranged for a
// signal. It counts as a crash.
const Panic = 2

var reports = map[int]string{
	Panic:       "Zqmail-local crashed.\n",
	Usage:       "ZInternal qmail-lspawn bug.\n",
	Root:        "ZNot allowed to perform deliveries as root.\n",
	NFS:         "ZNFS failure in qmail-local.\n",
	NoAlias:     "ZUnable to find alias user!\n",
	UsersCDB:    "ZTrouble reading users/cdb in qmail-lspawn.\n",
	System:      "ZTemporary failure in qmail-lspawn.\n",
	NoMemory:    "ZOut of memory in qmail-lspawn.\n",
	CannotRun:   "ZUnable to run qmail-local.\n",
	CannotGetpw: "ZUnable to run qmail-getpw.\n",
	NeverRuns:   "DUnable to run qmail-local.\n",
}

// Report returns the text of the report for a code, or nothing where the code does
// not make the whole of it.
func Report(code int) string { return reports[code] }
