// Package newmrh makes control/morercpthosts.cdb of control/morercpthosts, for
// qmail-newmrh (qmail-newmrh(8)).
//
// Each line is a host, as in control/rcpthosts; empty lines and those that begin
// with # do not count. In the database the key is the host in lower case, and there
// is no data.
//
// The new database takes the place of the old one in one step, once it is durable.
// In case of trouble the old one stays.
package newmrh

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"goqmail/internal/host/cdb"
	"goqmail/internal/host/control"
	"goqmail/internal/host/errno"
	"goqmail/internal/mail/fold"
)

// errRead marks the errors of reading morercpthosts.
var errRead = errors.New("unable to read control/morercpthosts")

// Update makes the database anew.
func Update(home string) error {
	dir := control.In(home)
	hosts, err := os.Open(dir.Path("morercpthosts"))
	if err != nil {
		return fmt.Errorf("%w: %s", errRead, errno.Text(err))
	}
	defer hosts.Close()
	err = cdb.Replace(dir.Path("morercpthosts.cdb"), dir.Path("morercpthosts.tmp"), func(w *cdb.Writer) error {
		return compile(hosts, w)
	})
	switch {
	case err == nil, errors.Is(err, errRead):
		return err
	case errors.Is(err, cdb.ErrMove):
		return fmt.Errorf("unable to move control/morercpthosts.tmp to control/morercpthosts.cdb: %s", errno.Text(err))
	}
	return fmt.Errorf("unable to write to control/morercpthosts.tmp: %s", errno.Text(err))
}

// compile adds the hosts to a database, line by line, as the file may have any size.
func compile(hosts io.Reader, w *cdb.Writer) error {
	r := bufio.NewReaderSize(hosts, control.MaxLine)
	for {
		line, err := r.ReadSlice('\n')
		switch {
		case err == bufio.ErrBufferFull:
			return fmt.Errorf("%w: a line of more than %d bytes", errRead, control.MaxLine)
		case err != nil && err != io.EOF:
			return fmt.Errorf("%w: %s", errRead, errno.Text(err))
		}
		host := bytes.TrimRight(line, " \t\n")
		if len(host) > 0 && host[0] != '#' {
			if err := w.Add(fold.Lower(string(host)), nil); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}
