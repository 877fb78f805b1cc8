// Package rcpthosts decides whether a client may send mail to a recipient, by the
// host behind the last @ of the address:
//
//	control/rcpthosts          a list; an entry is a host, or .domain for all
//	                           hosts below domain, but not domain itself
//	control/morercpthosts.cdb  the same for very many, made by qmail-newmrh(8)
//
// The case of letters does not matter. Without rcpthosts everything is allowed,
// whatever the other file has: such a host is an open relay. An address without
// @ is always allowed, since it is one of this system.
package rcpthosts

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"goqmail/internal/host/cdb"
	"goqmail/internal/host/control"
	"goqmail/internal/mail/fold"
)

// Warning is what the admin of an open relay is told.
const Warning = "warning: control/rcpthosts does not exist: this host is an open relay, anyone can send mail to anywhere through it"

// Controls are the files.
var Controls = []string{"rcpthosts", "morercpthosts.cdb"}

// A List says which hosts mail is accepted for. It may be used by several
// goroutines.
type List struct {
	hosts  fold.Set
	more   Finder // or nil
	exists bool
}

// A Finder is a database of hosts, in lower case.
type Finder interface {
	Find(host string) (data []byte, found bool, err error)
}

// New makes a list of entries, and of more in a database, which may be nil.
func New(entries []string, more Finder) *List {
	return &List{hosts: fold.NewSet(entries), more: more, exists: true}
}

// Read reads the two control files. The second one stays open until Close.
func Read(dir control.Dir) (*List, error) {
	entries, exists, err := dir.List("rcpthosts")
	if err != nil {
		return nil, err
	}
	if !exists {
		return &List{}, nil
	}
	more, err := cdb.Open(dir.Path("morercpthosts.cdb"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return New(entries, nil), nil
	case err != nil:
		return nil, fmt.Errorf("unable to read control: %w", err)
	}
	return New(entries, more), nil
}

// Close closes the database.
func (l *List) Close() error {
	if r, ok := l.more.(*cdb.Reader); ok {
		return r.Close()
	}
	return nil
}

// OpenRelay tells that there is no control/rcpthosts.
func (l *List) OpenRelay() bool { return !l.exists }

// Allows tells whether mail for an address is accepted. An error means that the
// database cannot be read.
func (l *List) Allows(address string) (bool, error) {
	at := strings.LastIndexByte(address, '@')
	if !l.exists || at < 0 {
		return true, nil
	}
	host := fold.Lower(address[at+1:])
	for name := host; name != ""; name = parent(name) {
		if l.hosts.Has(name) {
			return true, nil
		}
	}
	if l.more == nil {
		return false, nil
	}
	for name := host; name != ""; name = parent(name) {
		if _, found, err := l.more.Find(name); err != nil {
			return false, fmt.Errorf("unable to read control/morercpthosts.cdb: %w", err)
		} else if found {
			return true, nil
		}
	}
	return false, nil
}

// parent turns a.b.c to .b.c, and .b.c to .c.
func parent(name string) string {
	dot := strings.IndexByte(name[1:], '.')
	if dot < 0 {
		return ""
	}
	return name[1+dot:]
}
