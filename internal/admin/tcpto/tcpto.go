// Package tcpto lists the hosts whose connection attempts have timed out
// (qmail-tcpto(8)), a line for each:
//
//	192.0.2.1 timed out 312 seconds ago; # recent timeouts: 2
package tcpto

import (
	"fmt"
	"io"
	"time"

	"goqmail/internal/host/errno"
	"goqmail/internal/wire/tcpto"
)

// List writes the table as it is at the time now.
func List(table tcpto.Table, now time.Time, w io.Writer) error {
	records, err := table.Records()
	if err != nil {
		return fmt.Errorf("unable to read %s: %s", table.Path, errno.Text(err))
	}
	for _, r := range records {
		ago := int64(now.Sub(r.Last) / time.Second)
		if _, err := fmt.Fprintf(w, "%s timed out %d seconds ago; # recent timeouts: %d\n", r.Address, ago, r.Timeouts); err != nil {
			return err
		}
	}
	return nil
}

// Clear forgets all of them.
func Clear(table tcpto.Table) error {
	if err := table.Clear(); err != nil {
		return fmt.Errorf("unable to clear %s: %s", table.Path, errno.Text(err))
	}
	return nil
}
