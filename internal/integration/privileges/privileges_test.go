// Package privileges tests that the parts of the mail system are kept apart, and that
// hostile parties get no further than docs/privileges.md says:
//
//	matrix_test.go    what each user can do with each file, process and socket of
//	                  a system in the middle of its work: testdata/matrix, exactly
//	hygiene_test.go   every program, started as badly as a parent can
//	sandbox_test.go   what the programs that confine themselves can still do
//	attacks_test.go   hostile mail, clients and users
//
// The short form is part of "make test". GOQMAIL_PRIVILEGES=long, as "make
// privileges" sets it, tries every combination and larger numbers
// (docs/reliability.md).
package privileges

import (
	"os"
	"testing"

	"goqmail/internal/integration/site"
)

// long is whether there is time for all combinations.
var long = os.Getenv("GOQMAIL_PRIVILEGES") == "long"

// TestMain lets the test binary stand in for an intruder, and for a hostile parent,
// when its first argument says so.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "intrude" {
		if len(os.Args) > 2 {
			become(os.Args[2])
		}
		intrude(os.Stdin, os.Stdout)
		return
	}
	site.Main(m)
}

// standIn is where the test binary is, for users who may not look where it was built.
const standIn = "/mnt/standin"

// copySelf puts the test binary there.
func copySelf(t *testing.T) {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(standIn)
	if err := os.WriteFile(standIn, self, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(standIn) })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
