package install

import (
	"bytes"
	"os"
	"path/filepath"
)

// What a machine wants to find of an installation outside of its home.

// Links are where programs look for sendmail and its like, and what of bin they find.
var Links = []struct{ Path, Program string }{
	{"/usr/sbin/sendmail", "sendmail"},
	{"/usr/lib/sendmail", "sendmail"},
	{"/usr/bin/mailq", "sendmail"},
	{"/usr/bin/newaliases", "newaliases"},
}

// A Unit is one of systemd's.
type Unit struct {
	Name string
	Text []byte
}

// Units are those that the sources have.
func (p Plan) Units() ([]Unit, error) {
	files, err := filepath.Glob(filepath.Join(p.Sources, "conf-templates/systemd/*.[st]*"))
	if err != nil {
		return nil, err
	}
	var units []Unit
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		units = append(units, Unit{filepath.Base(f), p.withHome(text)})
	}
	return units, nil
}

// withHome puts the home into the places that a template has for it.
func (p Plan) withHome(text []byte) []byte {
	return bytes.ReplaceAll(text, []byte("@QMAIL@"), []byte(p.Home))
}
